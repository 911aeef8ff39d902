"""What happened to a payment, over HTTP: its events."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.requests import NOTHING_HERE, known_form
from aegis_worker.domain.moments import rfc3339
from aegis_worker.errors import NotFound
from aegis_worker.ids import PAYMENT, parse_event_id
from aegis_worker.queries import as_of, history, payments
from aegis_worker.views.events import events_page
from aegis_worker.views.payments import payment_body

from . import answer_schemas as answers
from . import examples
from .query_schemas import HistoryQuerySchema
from .routes import PAYMENT_ID

blueprint = Blueprint("history", __name__, url_prefix="/v1", description="What happened to payments.")
blueprint.before_request(require_merchant)


@blueprint.route("/payments/<payment_id>/events", parameters=[PAYMENT_ID])
@refuses("not_found", "validation_failed", "payment_frozen")
@blueprint.arguments(HistoryQuerySchema(), location="query")
@blueprint.response(200, answers.HistorySchema(), example=examples.EVENTS, headers=headers())
def list_events(query: dict[str, Any], payment_id: str) -> Response:
    """A payment's events, oldest first

    Events never change. Applying them in order gives the payment as it is now. With `as_of`, only the events up to that
    time are listed, and `payment` is the payment as it was then, rebuilt from them. If the payment did not exist yet,
    `payment` is `null` and there are no events.
    """
    payment_id, limit = known_form(payment_id, PAYMENT), query["limit"]
    _, after_seq = parse_event_id(query.get("starting_after", "")) or (None, 0)
    upto_seq, then = history.MOST_EVENTS, {}
    with parts().web.database.read() as connection:
        stored = payments.get_payment(connection, g.owner, payment_id)
        if stored is None:
            raise NotFound(NOTHING_HERE)
        if "as_of" in query:
            upto_seq = as_of.last_seq_at(connection, payment_id, query["as_of"])
            past = as_of.payment_at(connection, stored.payment, upto_seq)
            then = {
                "as_of": rfc3339(query["as_of"]),
                "payment": past and payment_body(past.payment, stored.created_at, past.at),
            }
        events = history.list_events(
            connection, g.owner, payment_id, limit=limit + 1, after_seq=after_seq, upto_seq=upto_seq
        )
    return answer(events_page(events, limit) | then)
