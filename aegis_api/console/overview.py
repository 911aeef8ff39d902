"""The overview: is money safe, what waits, what is in doubt or stuck, how payments and gateways are doing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Response, render_template

from aegis_api.http.answers import answer
from aegis_api.http.parts import parts
from aegis_worker.audit.violations import INVARIANTS
from aegis_worker.persistence.audit_log import list_entries
from aegis_worker.persistence.claims import due_by_queue
from aegis_worker.queries.by_minute import PaymentsThen, Span, gateways_by_minute, payments_by_minute
from aegis_worker.queries.doubts import list_doubts
from aegis_worker.queries.entities import list_to_answer
from aegis_worker.queries.reviews import list_reviews
from aegis_worker.queries.stuck import Thresholds, list_stuck
from aegis_worker.queries.waiting import waiting_numbers
from aegis_worker.views.audit_log import audit_entry_body
from aegis_worker.views.by_minute import gateways_by_minute_body, payments_by_minute_body
from aegis_worker.views.entities import dispute_body
from aegis_worker.views.gateways import gateway_body
from aegis_worker.views.reviews import review_body
from aegis_worker.views.safety import doubt_body
from aegis_worker.views.stuck import stuck_body

from .blueprint import blueprint
from .layout import strip_now

_SHOWN, _STUCK, _ENTRIES, _MOST_DUE = 8, 5, 6, 1000
_MINUTES, _IN_A_ROW = 180, 15


@blueprint.route("/")
def overview() -> str:
    """The first page."""
    with parts().web.database.read() as connection:
        span, rows = payments_by_minute(connection, minutes=_MINUTES)
    return render_template("console/overview.html", o=_read(), series=_series(span, rows))


@blueprint.route("/overview/live")
def overview_live() -> str:
    """What changes on it, for whoever looks at it for longer."""
    return render_template("console/overview_live.html", o=_read())


@blueprint.route("/figures/payments")
def payment_figures() -> Response:
    """Payments by the minute, for the plot."""
    with parts().web.database.read() as connection:
        span, rows = payments_by_minute(connection, minutes=_MINUTES)
    return answer(payments_by_minute_body(span, rows))


@blueprint.route("/figures/gateways")
def gateway_figures() -> Response:
    """Gateways by the minute, for the plots."""
    with parts().web.database.read() as connection:
        span, rows = gateways_by_minute(connection, minutes=_MINUTES)
    return answer(gateways_by_minute_body(span, rows))


def _read() -> dict[str, Any]:
    web, strip = parts().web, strip_now()
    with web.database.read() as connection:
        reviews = list_reviews(connection, limit=_SHOWN)
        doubts = list_doubts(connection, limit=_SHOWN)
        told = {
            "reviews": [review_body(waiting) for waiting in reviews.rows],
            "more_reviews": reviews.next_cursor is not None,
            "disputes": [dispute_body(each) for each in list_to_answer(connection, limit=_SHOWN)],
            "doubts": [doubt_body(doubt) for doubt in doubts.rows],
            "more_doubts": doubts.next_cursor is not None,
            "stuck": stuck_body(list_stuck(connection, Thresholds(), limit=_STUCK)),
            "waiting": waiting_numbers(connection),
            "due": {"payments": 0, "verify": 0} | due_by_queue(connection, limit=_MOST_DUE),
            "entries": [audit_entry_body(entry) for entry in list_entries(connection, limit=_ENTRIES)],
        }
    safety = strip["safety"]
    return {
        **told,
        "gateways": [gateway_body(report) for report in web.gateway_reports()],
        "safety": safety,
        "invariants": INVARIANTS,
        "wrong": {each["invariant"]: each["payments"] for each in safety["wrong"]} if safety else {},
        "ladder": len(web.settings.verify_ladder_s),
    }


def _series(span: Span, rows: list[PaymentsThen] | Any) -> dict[str, Any]:
    names = ("charged", "not_charged", "in_doubt", "open")
    totals = {name: sum(getattr(row, name) for row in rows) for name in names}
    steps = max(1, _IN_A_ROW * 60 // span.step_s)
    quarters = [
        {
            "at": datetime.fromtimestamp(rows[first].at, UTC).strftime("%H:%M"),
            **{name: sum(getattr(row, name) for row in rows[first : first + steps]) for name in names},
        }
        for first in range(0, len(rows), steps)
    ]
    told = ", ".join(f"{totals[name]:,} {name.replace('_', ' ')}" for name in names)
    return {
        "minutes": int((span.until - span.since).total_seconds() // 60),
        "total": sum(totals.values()),
        "complete": span.complete,
        "label": f"Payments a minute. In all: {told}.",
        "quarters": [row for row in quarters if any(row[name] for name in names)],
    }
