"""Orders, payments and refunds as Razorpay shows them. Pure."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..payments import Payment, Status
from ..rows import Document
from .declines import declined

ACCOUNT = "acc_Emulator000001"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TIME_LETTERS, _RANDOM_LETTERS = 9, 5
_FEE_BASIS_POINTS, _TAX_PERCENT = 200, 18
_ACQUIRER = {
    "card": "auth_code",
    "upi": "rrn",
    "netbanking": "bank_transaction_id",
    "wallet": "transaction_id",
    "paylater": "transaction_id",
}


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment of the ledger with what is known beside it (`about`: a document's body), and the order that it is for."""

    payment: Payment
    about: dict[str, Any]
    order: Document


def new_id(prefix: str) -> str:
    """Fourteen letters and digits after the prefix, which sort by time."""
    number, letters = time.time_ns() // 1000, ""
    while number:
        number, rest = divmod(number, len(_LETTERS))
        letters = _LETTERS[rest] + letters
    letters = letters.rjust(_TIME_LETTERS, _LETTERS[0])[-_TIME_LETTERS:]
    return f"{prefix}_{letters}" + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LETTERS))


def order_object(order: Document) -> dict[str, Any]:
    """An order."""
    body = order.body
    paid = body["amount"] if body["paid_by"] else 0
    return {
        "id": order.id,
        "entity": "order",
        "amount": body["amount"],
        "amount_paid": paid,
        "amount_due": body["amount"] - paid,
        "currency": body["currency"],
        "receipt": body["receipt"] or None,
        "offer_id": None,
        "status": "paid" if paid else "attempted" if body["attempts"] else "created",
        "attempts": body["attempts"],
        "notes": _notes(body["notes"]),
        "created_at": int(body["created"]),
    }


def payment_object(paid: Paid, status: str = "") -> dict[str, Any]:
    """A payment; `status`: as it was then, where that is not how it is now."""
    payment, about = paid.payment, paid.about
    status = status or payment_status(payment)
    captured = status != "authorized" and payment.captured > 0
    given_back = payment.amount if payment.status is Status.VOIDED else payment.refunded
    fee, tax = _fee(payment.amount) if captured else (None, None)
    return {
        "id": payment.id,
        "entity": "payment",
        "amount": payment.amount,
        "currency": payment.currency,
        "status": status,
        "order_id": paid.order.id,
        "invoice_id": None,
        "international": payment.currency != "INR",
        "method": payment.method,
        "amount_refunded": given_back,
        "refund_status": _refund_status(given_back, payment.amount),
        "captured": captured,
        "description": None,
        "card_id": about["card_id"] or None,
        **({"card": card_object(about["card_id"])} if about["card_id"] else {}),
        "bank": about.get("bank"),
        "wallet": about.get("wallet") or about.get("provider"),
        "vpa": about.get("vpa"),
        "email": about["email"] or "void@razorpay.com",
        "contact": about["contact"] or "+919876543210",
        "notes": _notes(about["notes"] or paid.order.body["notes"]),
        "fee": fee,
        "tax": tax,
        **_error(payment),
        "acquirer_data": {_ACQUIRER[payment.method]: None if status == "failed" else about["acquirer"]},
        "created_at": int(payment.created_at),
    }


def payment_status(payment: Payment) -> str:
    """Its status in Razorpay's words."""
    match payment.status:
        case Status.SUCCEEDED:
            return "refunded" if payment.refunded == payment.captured else "captured"
        case Status.VOIDED:
            return "refunded"
        case Status.AUTHORIZED:
            return "authorized"
        case Status.FAILED:
            return "failed"
        case _:
            return "created"


def refund_object(refund: Document) -> dict[str, Any]:
    """A refund."""
    body = refund.body
    return {
        "id": refund.id,
        "entity": "refund",
        "amount": body["amount"],
        "currency": body["currency"],
        "payment_id": refund.payment_id,
        "notes": _notes(body["notes"]),
        "receipt": body["receipt"] or None,
        "acquirer_data": {"arn": body["arn"] if body["status"] == "processed" else None},
        "created_at": int(body["created"]),
        "batch_id": None,
        "status": body["status"],
        "speed_processed": "normal",
        "speed_requested": body["speed"],
    }


def card_object(card_id: str) -> dict[str, Any]:
    """What is shown of the payer's card."""
    return {
        "id": card_id,
        "entity": "card",
        "name": "Gaurav Kumar",
        "last4": "1111",
        "network": "Visa",
        "type": "debit",
        "issuer": None,
        "international": False,
        "emi": False,
        "sub_type": "consumer",
    }


def collection(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Several of them."""
    return {"entity": "collection", "count": len(items), "items": list(items)}


def _notes(notes: Mapping[str, str]) -> object:
    """No notes are an empty list, not an empty object."""
    return dict(notes) or []


def _refund_status(given_back: int, amount: int) -> str | None:
    if not given_back:
        return None
    return "full" if given_back == amount else "partial"


def _fee(amount: int) -> tuple[int, int]:
    """The fee with its tax, and the tax."""
    fee = amount * _FEE_BASIS_POINTS // 10_000
    tax = fee * _TAX_PERCENT // 100
    return fee + tax, tax


def _error(payment: Payment) -> dict[str, str | None]:
    names = ("error_code", "error_description", "error_source", "error_step", "error_reason")
    if payment.status is not Status.FAILED:
        return dict.fromkeys(names)
    found = declined(payment.error_code)
    return dict(zip(names, (found.code, found.description, *found.where), strict=True))
