"""What a POST of an order does: make one, or, under a receipt that is to be unique, find the one that there is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..payments import Payment
from ..replies import json_reply
from ..rows import Document
from ..scripts import Effect, Script
from ..transaction import Transaction
from .bodies import amount_of, capture_of, currency_of, notes_of, receipt_of, truth
from .books import RazorpayBooks
from .calls import Call, Done, Subject
from .declines import declined_reply
from .errors import invalid
from .shapes import ACCOUNT, new_id, order_object
from .sources import script_of

# What a merchant's note has to be called for the ledger to know whose payment it is.
_OURS = "merchant_payment_id"
_MOST_OF_RECEIPT = 100


def ordered(books: RazorpayBooks, tx: Transaction, call: Call) -> Subject:
    """The order that a call makes, or has made before. Raises Refused."""
    body = call.body
    currency = currency_of(body)
    about: dict[str, Any] = {
        "amount": amount_of(body, currency),
        "attempts": 0,
        "created": call.now,
        "currency": currency,
        "notes": notes_of(body),
        "paid_by": "",
        "receipt": receipt_of(body),
        **capture_of(body),
    }
    order = _known(books, tx, call, about) or Document(new_id("order"), "order", ACCOUNT, about)
    payment = new_payment(order, "", "", "", call.now)
    return Subject(payment, order, script_of("", payment.amount, books.options.name), "create")


def _known(books: RazorpayBooks, tx: Transaction, call: Call, about: dict[str, Any]) -> Document | None:
    """Raises Refused for a receipt that is another order's."""
    if not truth(call.body, "unique_receipt"):
        return None
    if not about["receipt"]:
        raise invalid("The receipt field is required.", "receipt")
    found = books.orders_of(tx, about["receipt"])
    if not found:
        return None
    if any(found[0].body[name] != about[name] for name in ("amount", "currency")):
        raise invalid("Order receipt should be unique.", "receipt", {"order_id": found[0].id})
    return found[0]


def create(books: RazorpayBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Nothing is paid yet; who pays is shown Checkout. Raises Refused."""
    order, receipt = subject.order, subject.order.body["receipt"]
    amount = order.body["amount"]
    if script.effect is Effect.DECLINE:
        return Done(declined_reply(script.code), amount, call.now, script.code)
    if tx.document("order", order.id) is None:
        tx.put_document(order)
        known = [one.id for one in books.orders_of(tx, receipt)] if receipt else []
        if len(known) >= _MOST_OF_RECEIPT:
            raise invalid("Order receipt should be unique.", "receipt", {"order_id": known[0]})
        if receipt:
            body = {"orders": [*known, order.id]}
            tx.put_document(Document(f"receipt:{receipt}", "receipt", None, body))
    return Done(json_reply(200, order_object(order)), amount, call.now)


def attempted(order: Document) -> Document:
    """The order after one more payment of it was begun."""
    return replace(order, body={**order.body, "attempts": order.body["attempts"] + 1})


def new_payment(order: Document, method: str, token: str, return_url: str, now: float) -> Payment:
    """A payment of an order, which nobody has made yet."""
    body = order.body
    return Payment(
        id=new_id("pay"),
        reference=body["receipt"] or order.id,
        merchant_payment_id=body["notes"].get(_OURS),
        amount=body["amount"],
        currency=body["currency"],
        capture_method=body["capture"],
        method=method,
        token=token,
        metadata={},
        return_url=return_url,
        statement_descriptor="",
        created_at=now,
    )
