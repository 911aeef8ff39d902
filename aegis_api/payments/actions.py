"""A payment with the whole of what its payer has to do: for the merchant whose it is, and for nobody else."""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Connection

from aegis_api.http.parts import parts
from aegis_worker.errors import CannotUnseal
from aegis_worker.persistence.action_secrets import action_of
from aegis_worker.queries.payments import StoredPayment
from aegis_worker.views.payments import payment_body, whole_action

log = structlog.get_logger(__name__)


def body_with_action(connection: Connection, stored: StoredPayment) -> dict[str, Any]:
    """The payment's body; where the payer has to act, with all that the frontend needs for it."""
    payment = stored.payment
    body = payment_body(payment, stored.created_at, stored.updated_at)
    if payment.next_action is None:
        return body
    return body | {"next_action": whole_action(payment, _secret(connection, payment.id))}


def _secret(connection: Connection, payment_id: str) -> dict[str, Any] | None:
    try:
        return action_of(connection, parts().web.ring, payment_id)
    except CannotUnseal as error:
        # The rest of the payment is worth an answer; `aegis doctor` says which key is missing.
        log.error("next action not shown", payment_id=payment_id, error=str(error))
        return None
