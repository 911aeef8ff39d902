"""What PayPal tells by itself: developer.paypal.com/api/rest/webhooks/event-names. Pure."""

from __future__ import annotations

import secrets
from typing import Any

from ..disputes import kind_of
from ..rows import Document
from .contests import dispute_object
from .shapes import SHAPES, Order, at, order_object

_CHARGES = {
    ("capture", "COMPLETED"): "PAYMENT.CAPTURE.COMPLETED",
    ("capture", "PENDING"): "PAYMENT.CAPTURE.PENDING",
    ("capture", "DECLINED"): "PAYMENT.CAPTURE.DECLINED",
    ("authorization", "CREATED"): "PAYMENT.AUTHORIZATION.CREATED",
}
_DISPUTES = {
    "dispute.opened": "CUSTOMER.DISPUTE.CREATED",
    "dispute.updated": "CUSTOMER.DISPUTE.UPDATED",
    "dispute.closed": "CUSTOMER.DISPUTE.RESOLVED",
}
_SUMMARIES = {
    "CHECKOUT.ORDER.APPROVED": "An order has been approved by buyer",
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED": "A payment has been reversed after approval.",
}
_DIGITS = "0123456789ABCDEFGHJKLMNPRSTUVWXY"


def kind_of_charge(document: Document, *, was_there: bool) -> str:
    """What is told of an order's capture or authorization, new or settled; empty where nothing is."""
    if was_there and document.body["status"] == "DECLINED":
        return "PAYMENT.CAPTURE.DENIED"
    return _CHARGES.get((document.kind, document.body["status"]), "")


def of_part(kind: str, document: Document, base_url: str, now: float) -> dict[str, Any]:
    """An event about an authorization, capture or refund."""
    return _event(kind, document.kind, SHAPES[document.kind](document, base_url), base_url, now)


def of_order(kind: str, order: Order, base_url: str, now: float) -> dict[str, Any]:
    """An event about an order, or about an approval that is gone."""
    if kind == "CHECKOUT.ORDER.APPROVED":
        return _event(kind, "checkout-order", order_object(order, base_url), base_url, now)
    names = ("reference_id", "custom_id", "invoice_id")
    unit = {name: order.about[name] for name in names if order.about[name]}
    resource = {"order_id": order.payment.id, "purchase_units": [unit], "payment_source": {"paypal": {}}}
    return _event(kind, "checkout-order", resource, base_url, now)


def of_dispute(before: Document | None, after: Document, base_url: str, now: float) -> dict[str, Any]:
    """An event about a dispute; `before` is None for a new one."""
    return _event(
        _DISPUTES[kind_of(before, after)], "dispute", dispute_object(after, base_url), base_url, now
    )


def _event(
    kind: str, resource_type: str, resource: dict[str, Any], base_url: str, now: float
) -> dict[str, Any]:
    event_id = f"WH-{_random(17)}-{_random(17)}"
    place = f"{base_url}/v1/notifications/webhooks-events/{event_id}"
    return {
        "id": event_id,
        "event_version": "1.0",
        "create_time": at(now),
        "resource_type": resource_type,
        "resource_version": "2.0",
        "event_type": kind,
        "summary": _SUMMARIES.get(kind, kind.replace(".", " ").capitalize()),
        "resource": resource,
        "links": [
            {"href": place, "rel": "self", "method": "GET"},
            {"href": f"{place}/resend", "rel": "resend", "method": "POST"},
        ],
    }


def _random(letters: int) -> str:
    return "".join(secrets.choice(_DIGITS) for _ in range(letters))
