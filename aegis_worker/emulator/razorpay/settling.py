"""What a change of a payment's status makes of its order, and what becomes of payments and refunds by themselves."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from .. import disputes
from ..rows import Document
from ..scripts import Effect, Script
from ..transaction import Transaction
from .shapes import Paid, new_id, order_object, payment_object, refund_object

_APPROVED = frozenset({"payment.authorized", "payment.succeeded"})


class Telling(disputes.Disputing, Protocol):
    """The books, as far as this module needs them."""

    def tell(self, tx: Transaction, kind: str, paid: Paid, now: float, **more: Mapping[str, Any]) -> None:
        """Put an event about a payment, and more, in the webhook queue."""


def note(books: Telling, tx: Transaction, paid: Paid, kind: str, now: float) -> None:
    """The payment's status has just changed: `kind` is the ledger's word for it."""
    if kind in _APPROVED and not paid.about["is_authorized"]:
        paid = _authorized(books, tx, paid, now)
    if kind in _APPROVED and paid.order.body["paid_by"]:
        # Another payment of the order came first, so that this one is not captured.
        paid.payment.captured = 0
        paid.payment.void()
        tx.update(paid.payment)
    elif kind == "payment.succeeded":
        _captured(books, tx, paid, now)
    elif kind == "payment.failed":
        books.tell(tx, kind, paid, now)
    elif kind == "payment.voided":
        _given_back(books, tx, paid, now)


def _authorized(books: Telling, tx: Transaction, paid: Paid, now: float) -> Paid:
    about = paid.about | {"is_authorized": True}
    tx.put_document(Document(paid.payment.id, "payment", paid.order.id, about))
    paid = replace(paid, about=about)
    books.tell(tx, "payment.authorized", paid, now, payment=payment_object(paid, "authorized"))
    return paid


def _captured(books: Telling, tx: Transaction, paid: Paid, now: float) -> None:
    """The order is paid: no other payment of it will be captured."""
    books.tell(tx, "payment.captured", paid, now)
    order = replace(paid.order, body={**paid.order.body, "paid_by": paid.payment.id})
    tx.put_document(order)
    books.tell(tx, "order.paid", paid, now, payment=payment_object(paid), order=order_object(order))
    disputes.contest(books, tx, paid.payment, now)


def _given_back(books: Telling, tx: Transaction, paid: Paid, now: float) -> None:
    """Nobody captured it, or the order was paid otherwise: Razorpay gives the payer the money back."""
    body = refund_body(paid.payment.amount, paid.payment.currency, now, automatic=True)
    _refunded(books, tx, paid, Document(new_id("rfnd"), "refund", paid.payment.id, body), now)


def _refunded(books: Telling, tx: Transaction, paid: Paid, refund: Document, now: float) -> None:
    tx.put_document(refund)
    tell_of_refund(books, tx, "refund.created", paid, refund, now)
    if refund.body["status"] == "processed":
        tell_of_refund(books, tx, "refund.processed", paid, refund, now)


def refund_as(
    books: Telling, tx: Transaction, paid: Paid, script: Script, body: Mapping[str, Any], now: float
) -> Document:
    """A new refund, done at once unless the script says otherwise."""
    is_pending, is_undone = script.effect is Effect.PENDING, script.effect is Effect.TAKE_BACK
    ends_as = "failed" if is_undone or (is_pending and script.code) else "processed" if is_pending else ""
    about = {**body, "status": "pending" if is_pending else "processed", "ends_as": ends_as}
    due_at = now + script.settle_s if ends_as else None
    refund = Document(new_id("rfnd"), "refund", paid.payment.id, about, due_at)
    _refunded(books, tx, paid, refund, now)
    return refund


def settle_refund(books: Telling, tx: Transaction, paid: Paid, refund: Document, now: float) -> None:
    """A pending refund is done or fails, or one that was done fails after all."""
    status = refund.body["ends_as"]
    settled = replace(refund, body={**refund.body, "status": status, "ends_as": ""}, due_at=None)
    tx.put_document(settled)
    if status == "failed":
        paid.payment.refunded -= refund.body["amount"]
        tx.update(paid.payment)
    tell_of_refund(books, tx, f"refund.{status}", paid, settled, now)


def tell_of_refund(
    books: Telling, tx: Transaction, kind: str, paid: Paid, refund: Document, now: float
) -> None:
    """Put an event about a refund in the webhook queue."""
    books.tell(tx, kind, paid, now, refund=refund_object(refund), payment=payment_object(paid))


def refund_body(amount: int, currency: str, now: float, **fields: Any) -> dict[str, Any]:
    """What is kept of a refund, of which the fields say more. `automatic`: nobody has asked for it."""
    return {
        "amount": amount,
        "arn": secrets.token_hex(7),
        "automatic": False,
        "created": now,
        "currency": currency,
        "ends_as": "",
        "notes": {},
        "receipt": "",
        "speed": "normal",
        "status": "processed",
        **fields,
    }
