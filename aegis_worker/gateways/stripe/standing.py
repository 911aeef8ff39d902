"""What an intent or a refund says about the operation that was asked for. Pure, and the same for answers and look-ups."""

from __future__ import annotations

from typing import Literal

from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Movement,
    NotFound,
    Operation,
    Pending,
)

from .codes import declined
from .objects import Intent, Refund

Standing = Approved | Declined | ActionRequired | Pending | NotFound


def of_intent(operation: Operation, intent: Intent, reference: str, publishable_key: str) -> Standing:
    """The outcome of an operation on an intent. `NotFound` if it has not happened. `reference`: the key of a capture."""
    if operation is Operation.INITIATE:
        return Approved(intent.id, captured=False)
    if operation is Operation.CAPTURE:
        return Approved(intent.id) if reference in intent.captures else NotFound()
    if operation is Operation.VOID:
        return Approved(intent.id, captured=False) if intent.status == "canceled" else NotFound()
    if operation is Operation.CLOSE:
        return _of_close(intent)
    return _of_charge(intent, publishable_key)


def _of_close(intent: Intent) -> Standing:
    """Cancelled before anything was taken; what was paid, or is being paid, is not cancelled any more."""
    if intent.status == "canceled" and not intent.received_minor:
        return Approved(intent.id, captured=False)
    if intent.status in ("succeeded", "processing", "canceled"):
        return Declined("invalid_request", intent.status, "it can't be cancelled any more", intent.id)
    return NotFound()


def _of_charge(intent: Intent, publishable_key: str) -> Standing:
    sums, network_id = (intent.received_minor, intent.refunded_minor), intent.network_transaction_id
    match intent.status:
        case "succeeded":
            return Approved(
                intent.id, True, *sums, disputed=intent.disputed, network_transaction_id=network_id
            )
        case "requires_capture":
            taken = intent.received_minor > 0
            ends_at = intent.capture_before
            return Approved(
                intent.id, taken, *sums, capture_before=ends_at, network_transaction_id=network_id
            )
        case "processing":
            return Pending(intent.id)
        case "requires_action":
            return ActionRequired(intent.id, intent.action(publishable_key))
        case "canceled" if intent.received_minor:
            return Approved(intent.id, True, *sums)
        case "canceled":
            why = f"cancelled at Stripe: {intent.cancelled_because}".rstrip(": ")
            return Declined("generic_decline", "canceled", why, intent.id, released=True)
        case _ if intent.error is not None:
            return declined(intent.error, intent.id)
    # It waits for its confirmation, or never had a card.
    return NotFound()


def captures_of(intent: Intent) -> tuple[Movement, ...]:
    """The captures of a hold: ours by the keys in its metadata, and the sum of those that were made otherwise."""
    if not intent.is_held:
        return ()
    ours = [
        Movement(Operation.CAPTURE, minor, reference=reference)
        for reference, minor in intent.captures.items()
        if parse_gateway_key(reference) is not None
    ]
    others_minor = intent.received_minor - sum(capture.minor for capture in ours)
    return (*ours, Movement(Operation.CAPTURE, others_minor)) if others_minor > 0 else tuple(ours)


REFUNDS: dict[str, Literal["pending", "succeeded", "failed"]] = {
    "succeeded": "succeeded",
    "pending": "pending",
    "requires_action": "pending",
    "failed": "failed",
    "canceled": "failed",
}


def movement_of(refund: Refund) -> Movement:
    """The refund as a movement of its charge, whoever asked for it.

    What a partial capture or a cancel releases is no refund: docs.stripe.com/changelog/basil/2025-03-31.
    """
    status = REFUNDS[refund.status]
    code = "" if status != "failed" else refund.failure_reason or refund.status
    return Movement(Operation.REFUND, refund.minor, status, refund.reference, refund.id, code)


def of_refund(refund: Refund) -> Approved | Declined | Pending:
    """The outcome of a refund. It may still fail after it has succeeded."""
    if refund.status == "succeeded":
        return Approved(refund.id)
    if refund.status in ("pending", "requires_action"):
        return Pending(refund.id)
    return Declined("generic_decline", refund.failure_reason or refund.status, "", refund.id)
