"""The sandbox gateway's webhooks: checks that they are genuine, and translates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis_worker.domain.money import Money
from aegis_worker.errors import InvalidWebhook

from ..base import GatewayEvent
from ..kit.amounts import ISO_AMOUNTS
from ..kit.reading import Unreadable, child, currency, identifier, minor_units, parsed
from ..kit.signatures import check_timed_signature

SIGNATURE_HEADER = "Sandbox-Signature"
SIGNATURE_AGE_S = 300


def read_webhook(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_s: float
) -> GatewayEvent:
    """The event, in AegisPay's words. Raises InvalidWebhook if it is forged, too old or not an event."""
    check_timed_signature(SIGNATURE_HEADER, secrets, headers, body, now_s, SIGNATURE_AGE_S)
    try:
        return _event(body)
    except Unreadable as problem:
        raise InvalidWebhook(f"not a sandbox event: {problem}") from problem


def _event(body: bytes) -> GatewayEvent:
    """Raises Unreadable."""
    event = parsed(body)
    payment = child(event, "data")
    if payment.get("object") == "dispute":
        return GatewayEvent(
            identifier(event, "id"),
            identifier(payment, "reference"),
            identifier(payment, "payment_id"),
            identifier(event, "type"),
            dispute_ref=identifier(payment, "id"),
        )
    about = child(event, "operation") if "operation" in event else payment
    return GatewayEvent(
        identifier(event, "id"),
        identifier(about, "reference"),
        identifier(payment, "id"),
        identifier(event, "type"),
        _amount(payment) if "amount" in payment else None,
    )


def _amount(payment: Mapping[str, object]) -> Money:
    code = currency(payment)
    return Money(ISO_AMOUNTS.read(minor_units(payment, "amount"), code), code)
