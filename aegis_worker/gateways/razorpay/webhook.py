"""Razorpay's events: checks that they are genuine, and translates them.

The signature is the HMAC-SHA-256 of the raw body. It covers neither the event's id, which stands in a header alone, nor a
time, because Razorpay delivers an event for a day. So whoever has seen an event may send it again under another id: it is a
hint, and only has Razorpay asked. Source: github.com/razorpay/markdown-docs, webhooks/validate-test.md, webhooks/all.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aegis_worker.domain.money import Money
from aegis_worker.errors import InvalidWebhook

from ..base import GatewayEvent
from ..kit.reading import Unreadable, child, identifier, parsed
from ..kit.signatures import is_signed
from .objects import Order, Payment, Refund, id_if_any, read_order, read_payment, read_refund
from .standing import ours, refund_status

SIGNATURE_HEADER, ID_HEADER = "X-Razorpay-Signature", "X-Razorpay-Event-Id"
_OF_REFUNDS = "refund."
_KINDS = {
    "order.paid": "payment.succeeded",
    "payment.authorized": "payment.authorized",
    "payment.captured": "payment.succeeded",
    "payment.failed": "payment.failed",
    "payment.dispute.created": "dispute.opened",
    "payment.dispute.action_required": "dispute.updated",
    "payment.dispute.under_review": "dispute.updated",
    "payment.dispute.won": "dispute.closed",
    "payment.dispute.lost": "dispute.closed",
    "payment.dispute.closed": "dispute.closed",
}


def read_webhook(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> GatewayEvent:
    """The event, in AegisPay's words. Raises InvalidWebhook if it is forged or not an event."""
    signature, event_id = _header(headers, SIGNATURE_HEADER), _header(headers, ID_HEADER)
    if not secrets or not signature:
        raise InvalidWebhook("no usable signature")
    if not is_signed(secrets, body, (signature,)):
        raise InvalidWebhook("wrong signature")
    try:
        return _event(identifier({ID_HEADER: event_id}, ID_HEADER), parsed(body))
    except Unreadable as problem:
        raise InvalidWebhook(f"not an event of Razorpay: {problem}") from problem


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted.lower()), "")


def _event(event_id: str, event: Mapping[str, Any]) -> GatewayEvent:
    """Raises Unreadable.

    A payment's notes are left alone: the payer's browser gives them to Checkout. Nothing is asked of an event of another
    kind, because Razorpay switches a webhook off whose events are refused for a day.
    """
    word, account = identifier(event, "event"), identifier(event, "account_id")
    payload = event.get("payload") if isinstance(event.get("payload"), dict) else {}
    if word not in _KINDS and not word.startswith(_OF_REFUNDS):
        return GatewayEvent(event_id, None, _order_named(payload), word, account=account)
    order = _entity(payload, "order")
    shown_order = None if order is None else read_order(order)
    paid, dispute, refund = (_entity(payload, name) for name in ("payment", "dispute", "refund"))
    payment = None if paid is None else read_payment(paid)
    about_refund = None if refund is None else read_refund(refund)
    return GatewayEvent(
        event_id,
        _reference(shown_order, about_refund),
        _order_id(shown_order, payment),
        _KINDS.get(word, word) if about_refund is None else _kind_of_refund(about_refund, payment),
        _amount(payment) if about_refund is None and dispute is None else None,
        account=account,
        dispute_ref=None if dispute is None else identifier(dispute, "id"),
    )


def _order_named(payload: Any) -> str | None:
    """The order of a payment in an event of another kind, if it shows one."""
    try:
        payment = _entity(payload, "payment")
        return None if payment is None else id_if_any(payment, "order_id")
    except Unreadable:
        return None


def _entity(payload: Any, name: str) -> dict[str, Any] | None:
    return None if payload.get(name) is None else child(child(payload, name), "entity")


def _reference(order: Order | None, refund: Refund | None) -> str | None:
    if refund is not None:
        return ours(refund.receipt)
    return None if order is None else order.receipt


def _order_id(order: Order | None, payment: Payment | None) -> str | None:
    if payment is not None:
        return payment.order_id
    return None if order is None else order.id


def _amount(payment: Payment | None) -> Money | None:
    return None if payment is None else payment.amount


def _kind_of_refund(refund: Refund, payment: Payment | None) -> str:
    """One that a merchant ordered; what was not captured in time; or what was given back at Razorpay."""
    if ours(refund.receipt) is not None:
        return f"refund.{refund_status(refund.status)}"
    return "payment.voided" if payment is not None and not payment.is_captured else "payment.refunded"
