"""Stripe's events: checks that they are genuine, and translates them. Source: docs.stripe.com/webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import Money
from aegis_worker.errors import InvalidWebhook

from ..base import GatewayEvent
from ..kit.reading import Unreadable, child, identifier, minor_units, parsed
from ..kit.signatures import check_timed_signature
from .amounts import AMOUNTS
from .objects import read_mode
from .standing import REFUNDS

SIGNATURE_HEADER = "Stripe-Signature"
SIGNATURE_AGE_S = 300
# One for each secret, of which two are in use while one rolls.
_MOST_SIGNATURES = 10
_KINDS = {
    "payment_intent.created": "payment.created",
    "payment_intent.requires_action": "payment.requires_action",
    "payment_intent.processing": "payment.pending",
    "payment_intent.amount_capturable_updated": "payment.authorized",
    "payment_intent.succeeded": "payment.succeeded",
    "payment_intent.payment_failed": "payment.failed",
    "payment_intent.canceled": "payment.voided",
    "charge.refunded": "payment.refunded",
    "charge.dispute.created": "dispute.opened",
    "charge.dispute.updated": "dispute.updated",
    "charge.dispute.funds_withdrawn": "dispute.updated",
    "charge.dispute.funds_reinstated": "dispute.updated",
    "charge.dispute.closed": "dispute.closed",
}


def read_webhook(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_s: float
) -> GatewayEvent:
    """The event, in AegisPay's words. Raises InvalidWebhook if it is forged, too old or not an event."""
    check_timed_signature(
        SIGNATURE_HEADER, secrets, headers, body, now_s, SIGNATURE_AGE_S, most=_MOST_SIGNATURES
    )
    try:
        return _event(parsed(body))
    except Unreadable as problem:
        raise InvalidWebhook(f"not an event of Stripe: {problem}") from problem


def _event(event: Mapping[str, Any]) -> GatewayEvent:
    """Raises Unreadable."""
    about, word = child(child(event, "data"), "object"), identifier(event, "type")
    kind_of_object = about.get("object")
    is_intent, is_dispute = kind_of_object == "payment_intent", kind_of_object == "dispute"
    is_refund = kind_of_object == "refund"
    metadata = about.get("metadata") if is_intent or is_refund else None
    return GatewayEvent(
        identifier(event, "id"),
        _id_if_any(metadata, "reference") if isinstance(metadata, dict) else None,
        _id_if_any(about, "id" if is_intent else "payment_intent"),
        _kind_of_refund(about) if is_refund else _kind(word, about),
        _amount(about) if word in _KINDS and not is_dispute else None,
        mode=read_mode(event),
        account=_id_if_any(event, "account"),
        dispute_ref=identifier(about, "id") if is_dispute else None,
    )


def _kind(word: str, about: Mapping[str, Any]) -> str:
    """A hold of which a part was captured is told of by the same word as a new one."""
    kind = _KINDS.get(word, word)
    is_captured = kind == "payment.authorized" and about.get("amount_received", 0) != 0
    return "payment.captured" if is_captured else kind


def _kind_of_refund(about: Mapping[str, Any]) -> str:
    return f"refund.{REFUNDS.get(identifier(about, 'status'), 'pending')}"


def _id_if_any(body: Mapping[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else identifier(body, name)


def _amount(about: Mapping[str, Any]) -> Money:
    code = str(about.get("currency")).upper()
    if code not in EXPONENTS:
        raise Unreadable("currency is no currency")
    return Money(AMOUNTS.read(minor_units(about, "amount"), code), code)
