"""A payment's calls to gateways, over HTTP: for its merchant, and with what was exchanged for operators."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant_or_operator
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.query_fields import LONGEST_PAGE
from aegis_api.http.requests import NOTHING_HERE, known_form
from aegis_worker.errors import InsufficientScope, NotFound
from aegis_worker.ids import PAYMENT
from aegis_worker.queries import history, payments
from aegis_worker.queries.exchanges import exchanges_of
from aegis_worker.views.attempts import attempt_body
from aegis_worker.views.pages import list_body

from . import examples
from .exchange_schemas import AttemptsQuerySchema, ExpandedAttemptListSchema
from .routes import PAYMENT_ID

blueprint = Blueprint("attempts", __name__, url_prefix="/v1", description="Calls to gateways.")
blueprint.before_request(require_merchant_or_operator)


@blueprint.route("/payments/<payment_id>/attempts", parameters=[PAYMENT_ID])
@refuses("not_found", "validation_failed")
@blueprint.arguments(AttemptsQuerySchema(), location="query")
@blueprint.response(200, ExpandedAttemptListSchema(), example=examples.ATTEMPTS, headers=headers())
def list_attempts(query: dict[str, Any], payment_id: str) -> Response:
    """A payment's attempts: every call to a gateway

    Lists attempts in the order in which they were sent, each with its outcome as far as it is known. With an operator's key
    it lists those of any merchant's payment, and `expand=exchange` adds what went out to the gateway and came back.
    """
    payment_id, expands = known_form(payment_id, PAYMENT), "expand" in query
    if expands and g.owner is not None:
        raise InsufficientScope(
            "expand=exchange needs an operator's key (`aegis keys create --operator` makes one)"
        )
    with parts().web.database.read() as connection:
        if payments.get_state(connection, g.owner, payment_id) is None:
            raise NotFound(NOTHING_HERE)
        attempts = history.list_attempts(connection, g.owner, payment_id, limit=LONGEST_PAGE)
        exchanges = exchanges_of(connection, payment_id) if expands else None
    return answer(list_body([attempt_body(attempt, exchanges) for attempt in attempts], None))
