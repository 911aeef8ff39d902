"""Analytics over HTTP, from read models that are kept by events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant, require_operator
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.problems import RequestRefused
from aegis_worker.domain.modes import Owner
from aegis_worker.persistence import projections
from aegis_worker.queries import analytics, payments
from aegis_worker.views.analytics import analytics_body, customer_body

from . import schemas

blueprint = Blueprint(
    "analytics",
    __name__,
    url_prefix="/v1",
    description="What payments came to, from summaries that are seconds behind; `lag_s` says by how much.",
)
blueprint.before_request(require_merchant)
operators = Blueprint(
    "analytics_of_all",
    __name__,
    url_prefix="/v1/ops",
    description="For operators: what the payments of all merchants came to, from the same summaries.",
)
operators.before_request(require_operator)

_LONGEST = timedelta(days=400)
_USUAL = timedelta(days=7)


@blueprint.route("/analytics/payments")
@refuses("validation_failed")
@blueprint.arguments(schemas.AnalyticsQuerySchema(), location="query")
@blueprint.response(200, schemas.AnalyticsSchema(), example=schemas.ANALYTICS, headers=headers())
def show_analytics(query: dict[str, Any]) -> Response:
    """What payments came to over time

    Payments count in the hour, in UTC, in which they were accepted, and as they stand now. Each row is of one currency, for
    sums never cross them. Without `since` it is the last 7 days; 400 days at most.
    """
    return _summed(_asked(query, g.owner, analytics.GROUPS))


@operators.route("/analytics/payments")
@refuses("validation_failed")
@operators.arguments(schemas.OperatorsAnalyticsQuerySchema(), location="query")
@operators.response(
    200, schemas.OperatorsAnalyticsSchema(), example=schemas.OPERATORS_ANALYTICS, headers=headers()
)
def show_analytics_of_all(query: dict[str, Any]) -> Response:
    """What the payments of all merchants came to over time

    As merchants see theirs, and can be grouped by merchant and mode, or narrowed to one. Test payments are among them.
    """
    return _summed(_asked(query, None, analytics.OPERATORS_GROUPS))


def _summed(asked: analytics.Asked) -> Response:
    with parts().web.reading.read() as connection:
        behind = projections.lag(connection)
        rows = analytics.summaries(connection, asked)
    if len(rows) > analytics.MOST_ROWS:
        raise _wrong(
            "interval", f"More than {analytics.MOST_ROWS} rows: ask for a longer interval or fewer groups."
        )
    return answer(analytics_body(rows, behind))


@blueprint.route("/customers/<customer_id>/payments", parameters=[schemas.CUSTOMER_ID])
@refuses("validation_failed")
@blueprint.arguments(schemas.CustomerQuerySchema(), location="query")
@blueprint.response(200, schemas.CustomerHistorySchema(), example=schemas.CUSTOMER, headers=headers())
def list_payments_of_customer(query: dict[str, Any], customer_id: str) -> Response:
    """A customer's payments, newest first, and what all of them came to

    `sums` has the newest 10,000 of them. A customer who is not known has none.
    """
    if "\0" in customer_id:
        raise _wrong("customer_id", "No id holds a NUL.")
    filters = payments.PaymentFilters(customer_id=customer_id)
    with parts().web.reading.read() as connection:
        behind = projections.lag(connection)
        sums = analytics.customer_sums(connection, g.owner, customer_id)
        page = payments.list_payments(
            connection, g.owner, filters, limit=query["limit"], starting_after=query.get("starting_after")
        )
    return answer(customer_body(customer_id, sums, page.rows, page.next_cursor, behind))


def _asked(query: dict[str, Any], owner: Owner | None, groups: Sequence[str]) -> analytics.Asked:
    until = query.get("until")
    since = query.get("since") or _before(until)
    if not timedelta(0) < (until or datetime.now(UTC)) - since <= _LONGEST:
        raise _wrong("since", "Must be before `until`, by 400 days at most.")
    only = {name: query[name] for name in (*groups, "currency") if name in query}
    return analytics.Asked(owner, since, until, query["interval"], tuple(query["group_by"]), only)


def _before(until: datetime | None) -> datetime:
    try:
        return (until or datetime.now(UTC)) - _USUAL
    except OverflowError:
        raise _wrong("until", "Is too early.") from None


def _wrong(parameter: str, detail: str) -> RequestRefused:
    fault = {"parameter": parameter, "code": "out_of_range", "detail": detail}
    return RequestRefused("validation_failed", "1 invalid field(s); errors says which.", [fault])
