"""Orders, authorizations, captures and refunds as PayPal shows them. Pure."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..payments import Payment, Status
from ..rows import Document
from .amounts import money
from .declines import response_code

MERCHANT, PAYER = "MERCHANT2EMUL", "PAYER22EMULTR"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TIME_LETTERS, _RANDOM_LETTERS = 12, 5
_STATUSES = {
    "capture": {Status.PENDING: "PENDING", Status.SUCCEEDED: "COMPLETED", Status.FAILED: "DECLINED"},
    "authorization": {Status.PENDING: "PENDING", Status.AUTHORIZED: "CREATED", Status.FAILED: "DENIED"},
}


@dataclass(frozen=True, slots=True)
class Order:
    """A payment of the ledger with what is known beside it. `about`: a document's body; `moved`: what was made of it,
    each kind oldest first.
    """

    payment: Payment
    about: dict[str, Any]
    moved: Mapping[str, list[Document]]


def new_id() -> str:
    """Seventeen capital letters and digits, which sort by time."""
    number, text = time.time_ns(), ""
    while number:
        number, rest = divmod(number, len(_LETTERS))
        text = _LETTERS[rest] + text
    return text[-_TIME_LETTERS:] + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LETTERS))


def at(seconds: float) -> str:
    """A time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def charged(payment: Payment, about: Mapping[str, Any], now: float) -> Document:
    """The capture or authorization that an order's charge has made, or will make. Its id was chosen before."""
    kind = "capture" if about["intent"] == "CAPTURE" else "authorization"
    body = moved_body(payment, about, now, status=_STATUSES[kind][payment.status])
    return Document(about["charge_id"], kind, payment.id, body)


def moved_body(payment: Payment, about: Mapping[str, Any], now: float, **fields: Any) -> dict[str, Any]:
    """What is kept of a capture or an authorization, of which the fields say more."""
    answered = response_code(payment.error_code) if payment.error_code else "0000"
    return {
        "amount": payment.amount,
        "authorization": "",
        "created": now,
        "currency": payment.currency,
        "custom_id": about["custom_id"],
        "ends_as": "",
        "expires": payment.due_at,
        "final": True,
        "honoured_from": now,
        "invoice_id": about["invoice_id"],
        "order": payment.id,
        "parent": "",
        "reason": about["pends_for"],
        "refunded": 0,
        "response_code": answered if about["source"] == "card" else "",
        "updated": now,
        **fields,
    }


def order_status(order: Order) -> str:
    """The order's status."""
    if order.moved["capture"] or order.moved["authorization"]:
        return "COMPLETED"
    match order.payment.status:
        case Status.VOIDED:
            return "VOIDED"
        case Status.REQUIRES_ACTION if order.about["source"]:
            return "PAYER_ACTION_REQUIRED"
        case _:
            return "APPROVED" if order.about["approved"] else "CREATED"


def order_object(order: Order, base_url: str) -> dict[str, Any]:
    """An order, with all that was made of it."""
    payment, about = order.payment, order.about
    payments = {
        f"{kind}s": [SHAPES[kind](one, base_url) for one in found]
        for kind, found in order.moved.items()
        if found
    }
    named = {name: about[name] for name in ("custom_id", "invoice_id", "description", "soft_descriptor")}
    unit = {
        "reference_id": about["reference_id"],
        "amount": money(payment.amount, payment.currency),
        "payee": {"email_address": "merchant@example.com", "merchant_id": MERCHANT},
        **{name: value for name, value in named.items() if value},
        **({"payments": payments} if payments else {}),
    }
    return {
        "id": payment.id,
        "intent": about["intent"],
        "status": order_status(order),
        **({"payment_source": _source(about)} if about["source"] in ("paypal", "card") else {}),
        **({"payer": _payer()} if about["approved"] else {}),
        "purchase_units": [unit],
        "create_time": at(payment.created_at),
        "links": _order_links(order, base_url),
    }


def authorization_object(authorization: Document, base_url: str) -> dict[str, Any]:
    """An authorization."""
    body = authorization.body
    place = f"{base_url}/v2/payments/authorizations/{authorization.id}"
    links = [
        _link("self", place),
        _link("capture", f"{place}/capture", "POST"),
        _link("void", f"{place}/void", "POST"),
        _link("reauthorize", f"{place}/reauthorize", "POST"),
        _link("up", f"{base_url}/v2/checkout/orders/{body['order']}"),
    ]
    expires = {"expiration_time": at(body["expires"])} if body["expires"] else {}
    return {**_common(authorization), **expires, **_related(order_id=body["order"]), "links": links}


def capture_object(capture: Document, base_url: str) -> dict[str, Any]:
    """A capture."""
    body = capture.body
    place = f"{base_url}/v2/payments/captures/{capture.id}"
    authorization = body["authorization"]
    up = f"payments/authorizations/{authorization}" if authorization else f"checkout/orders/{body['order']}"
    ids = {"order_id": body["order"]} | ({"authorization_id": authorization} if authorization else {})
    links = [
        _link("self", place),
        _link("refund", f"{place}/refund", "POST"),
        _link("up", f"{base_url}/v2/{up}"),
    ]
    return {**_common(capture), "final_capture": body["final"], **_related(**ids), "links": links}


def refund_object(refund: Document, base_url: str) -> dict[str, Any]:
    """A refund."""
    body = refund.body
    place = f"{base_url}/v2/payments/refunds/{refund.id}"
    links = [
        _link("self", place),
        _link("up", f"{base_url}/v2/payments/captures/{body['capture']}"),
    ]
    gross = money(body["amount"], body["currency"])
    note = {"note_to_payer": body["note"]} if body["note"] else {}
    return {**_common(refund), **note, "seller_payable_breakdown": {"gross_amount": gross}, "links": links}


SHAPES = {"authorization": authorization_object, "capture": capture_object, "refund": refund_object}
KINDS = tuple(SHAPES)


def minimal(kind: str, shown: dict[str, Any]) -> dict[str, Any]:
    """What an answer shows of an object where the call did not ask for all of it."""
    if kind != "order":
        return {name: shown[name] for name in ("id", "status", "links")}
    kept: dict[str, Any] = {
        name: shown[name] for name in ("id", "status", "payment_source", "payer", "links") if name in shown
    }
    (unit,) = shown["purchase_units"]
    if "payments" not in unit:
        return kept
    return {**kept, "purchase_units": [{name: unit[name] for name in ("reference_id", "payments")}]}


def _common(document: Document) -> dict[str, Any]:
    body = document.body
    named = {name: body[name] for name in ("custom_id", "invoice_id") if body[name]}
    why = body["reason"] if body["status"] in ("PENDING", "FAILED", "DENIED") else ""
    answered = body.get("response_code", "")
    return {
        "id": document.id,
        "status": body["status"],
        **({"status_details": {"reason": why}} if why else {}),
        "amount": money(body["amount"], body["currency"]),
        **named,
        **({"processor_response": {"response_code": answered}} if answered else {}),
        "create_time": at(body["created"]),
        "update_time": at(body["updated"]),
    }


def _related(**ids: str) -> dict[str, Any]:
    return {
        "payee": {"email_address": "merchant@example.com", "merchant_id": MERCHANT},
        "supplementary_data": {"related_ids": ids},
    }


def _payer() -> dict[str, Any]:
    return {
        "name": {"given_name": "John", "surname": "Doe"},
        "email_address": "payer@example.com",
        "payer_id": PAYER,
    }


def _source(about: Mapping[str, Any]) -> dict[str, Any]:
    if about["source"] == "card":
        return {"card": {"last_digits": "1111", "brand": "VISA", "type": "CREDIT"}}
    if not about["approved"]:
        return {"paypal": {}}
    who = {"email_address": "payer@example.com", "account_id": PAYER, "account_status": "VERIFIED"}
    return {"paypal": {**who, "name": {"given_name": "John", "surname": "Doe"}}}


def _order_links(order: Order, base_url: str) -> list[dict[str, Any]]:
    place = f"{base_url}/v2/checkout/orders/{order.payment.id}"
    links = [_link("self", place)]
    match order_status(order):
        case "CREATED":
            links.append(_link("approve", page_of(order.payment.id, base_url)))
        case "PAYER_ACTION_REQUIRED":
            links.append(_link("payer-action", page_of(order.payment.id, base_url)))
        case "APPROVED":
            action = order.about["intent"].lower()
            links.append(_link(action, f"{place}/{action}", "POST"))
    return links


def page_of(order_id: str, base_url: str) -> str:
    """Where the payer approves the order."""
    return f"{base_url}/checkoutnow?token={order_id}"


def _link(rel: str, href: str, method: str = "GET") -> dict[str, Any]:
    return {"href": href, "rel": rel, "method": method}
