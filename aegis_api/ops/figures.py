"""Whether money is safe, what is in doubt, and figures over time: what an operator's console shows first."""

from __future__ import annotations

from typing import Any

from flask import Response

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_worker.queries.by_minute import gateways_by_minute, payments_by_minute
from aegis_worker.queries.doubts import list_doubts
from aegis_worker.queries.safety import read_safety
from aegis_worker.views.by_minute import gateways_by_minute_body, payments_by_minute_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.safety import doubt_body, safety_body

from . import figures_schemas as schemas

blueprint = Blueprint(
    "figures",
    __name__,
    url_prefix="/v1/ops",
    description="For operators, across all merchants: is money safe, and how payments and gateways have been doing.",
)
blueprint.before_request(require_operator)


@blueprint.route("/safety")
@refuses()
@blueprint.response(200, schemas.SafetySchema(), example=schemas.SAFETY, headers=headers())
def show_safety() -> Response:
    """Is money safe?

    Counts what the audit finds wrong, what waits for a person and what is in doubt, with sums for each currency. Each count
    covers at most 1,000 payments. It is cheap enough to be asked every few seconds.
    """
    with parts().web.database.read() as connection:
        return answer(safety_body(read_safety(connection)))


@blueprint.route("/doubts")
@refuses("validation_failed")
@blueprint.arguments(schemas.DoubtsQuerySchema(), location="query")
@blueprint.response(200, schemas.DoubtListSchema(), example=schemas.DOUBTS, headers=headers())
def list_payments_in_doubt(query: dict[str, Any]) -> Response:
    """Payments in doubt, oldest first

    Their gateways are asked about them by themselves; what can't be settled so is in the reviews instead.
    """
    with parts().web.database.read() as connection:
        page = list_doubts(connection, limit=query["limit"], after=query.get("starting_after"))
    return answer(list_body([doubt_body(doubt) for doubt in page.rows], page.next_cursor))


@blueprint.route("/payments-by-minute")
@refuses("validation_failed")
@blueprint.arguments(schemas.MinutesQuerySchema(), location="query")
@blueprint.response(
    200, schemas.PaymentsByMinuteSchema(), example=schemas.PAYMENTS_BY_MINUTE, headers=headers()
)
def show_payments_by_minute(query: dict[str, Any]) -> Response:
    """How many payments were accepted, minute by minute

    Each is counted when it was accepted, by how it stands now. At most the newest 50,000 are counted: where there were
    more, `complete` is false, and `since` is later than was asked for.
    """
    with parts().web.database.read() as connection:
        span, rows = payments_by_minute(connection, minutes=query["minutes"])
    return answer(payments_by_minute_body(span, rows))


@blueprint.route("/gateways-by-minute")
@refuses("validation_failed")
@blueprint.arguments(schemas.MinutesQuerySchema(), location="query")
@blueprint.response(
    200, schemas.GatewaysByMinuteSchema(), example=schemas.GATEWAYS_BY_MINUTE, headers=headers()
)
def show_gateways_by_minute(query: dict[str, Any]) -> Response:
    """How gateways answered, minute by minute

    Counts calls of payments that were accepted in that time, by how the calls stand now, and how long answers took. At most
    the newest 50,000 calls are counted: where there were more, `complete` is false.
    """
    with parts().web.database.read() as connection:
        span, rows = gateways_by_minute(connection, minutes=query["minutes"])
    return answer(gateways_by_minute_body(span, rows))
