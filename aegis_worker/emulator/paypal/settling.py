"""What a change of an order's status makes of its authorization or capture, and what becomes of these by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from .. import disputes
from ..payments import Payment, Status
from ..rows import Document
from ..scripts import Effect
from ..transaction import Transaction
from .events import kind_of_charge
from .shapes import Order, charged, new_id

_CHARGED = frozenset({"payment.pending", "payment.authorized", "payment.succeeded"})
_STANDING = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "PENDING"})
_TAKES = frozenset({"charge", "capture"})
# What becomes of a capture that is undone after its success; empty: it is reversed.
UNDONE = {Effect.TAKE_BACK: "DECLINED", Effect.SEND_BACK: ""}
HELD = frozenset({"CREATED", "PARTIALLY_CAPTURED"})


class Telling(disputes.Disputing, Protocol):
    """The books, as far as this module needs them."""

    def tell(self, tx: Transaction, kind: str, document: Document, now: float) -> None:
        """Put an event about an authorization, capture or refund in the webhook queue."""

    def tell_of_order(self, tx: Transaction, kind: str, order: Order, now: float) -> None:
        """Put an event about an order in the webhook queue."""


def stands(capture: Document) -> bool:
    """Whether a capture has money of the payer."""
    return capture.body["status"] in _STANDING


def changed(document: Document, now: float, due_at: float | None = None, **fields: Any) -> Document:
    """It with other fields, and something that is to become of it at `due_at`."""
    return replace(document, body={**document.body, "updated": now, **fields}, due_at=due_at)


def given_back(capture: Document, amount: int, now: float) -> Document:
    """A capture of which so much more was refunded, or less, where a refund has failed."""
    refunded = capture.body["refunded"] + amount
    part = "REFUNDED" if refunded == capture.body["amount"] else "PARTIALLY_REFUNDED"
    return changed(capture, now, capture.due_at, refunded=refunded, status=part if refunded else "COMPLETED")


def note(books: Telling, tx: Transaction, order: Order, kind: str, now: float) -> None:
    """The order's status has just changed: `kind` is the ledger's word for it."""
    about = order.about
    was_moved = bool(order.moved["authorization"] or order.moved["capture"])
    if kind == "payment.authenticated":
        _approved(books, tx, order, now)
    elif was_moved and about["intent"] == "AUTHORIZE" and kind in ("payment.voided", "payment.succeeded"):
        _expired(books, tx, order, now)
    elif kind == "payment.voided" and about["approved"]:
        books.tell_of_order(tx, "CHECKOUT.PAYMENT-APPROVAL.REVERSED", order, now)
    elif kind in _CHARGED or (kind == "payment.failed" and (was_moved or about["source"] == "card")):
        _charged(books, tx, order, now)


def _approved(books: Telling, tx: Transaction, order: Order, now: float) -> None:
    about = order.about | {"approved": True}
    tx.put_document(Document(order.payment.id, "order", order.payment.id, about))
    order.payment.schedule(now + books.script_of(tx, order.payment).approval_s, Status.VOIDED)
    tx.update(order.payment)
    books.tell_of_order(tx, "CHECKOUT.ORDER.APPROVED", replace(order, about=about), now)


def _charged(books: Telling, tx: Transaction, order: Order, now: float) -> None:
    document = charged(order.payment, order.about, now)
    before = tx.document(document.kind, document.id)
    created = before.body["created"] if before else now
    script = books.script_of(tx, order.payment)
    is_undone = document.body["status"] == "COMPLETED" and script.effect in UNDONE
    if is_undone and not script.acts_on.isdisjoint(_TAKES):
        document = changed(document, now, now + script.settle_s, ends_as=UNDONE[script.effect])
    document = replace(document, body={**document.body, "created": created})
    tx.put_document(document)
    kind = kind_of_charge(document, was_there=before is not None)
    if kind:
        books.tell(tx, kind, document, now)
    if order.payment.captured:
        disputes.contest(books, tx, order.payment, now)


def _expired(books: Telling, tx: Transaction, order: Order, now: float) -> None:
    for one in order.moved["authorization"]:
        if one.body["status"] in HELD:
            _becomes(books, tx, changed(one, now, status="EXPIRED"), "PAYMENT.AUTHORIZATION.VOIDED", now)


def _settle_capture(books: Telling, tx: Transaction, capture: Document, payment: Payment, now: float) -> None:
    body = capture.body
    if body["ends_as"] == "COMPLETED":
        done = changed(capture, now, ends_as="", status="COMPLETED")
        _becomes(books, tx, done, "PAYMENT.CAPTURE.COMPLETED", now)
        disputes.contest(books, tx, payment, now)
    elif body["ends_as"] == "DECLINED" and not body["refunded"]:
        payment.captured -= body["amount"]
        tx.update(payment)
        denied = changed(capture, now, ends_as="", status="DECLINED")
        _becomes(books, tx, denied, "PAYMENT.CAPTURE.DENIED", now)
    else:
        # A capture that is reversed, or one that fails after a part of it was refunded: the rest goes back.
        _reversed(books, tx, capture, payment, now)


def _reversed(books: Telling, tx: Transaction, capture: Document, payment: Payment, now: float) -> None:
    """PayPal gives the payer back what is left of a capture: a refund that nobody has asked for."""
    left = capture.body["amount"] - capture.body["refunded"]
    taken_back = replace(given_back(capture, left, now), due_at=None)
    tx.put_document(taken_back)
    if left:
        payment.refunded += left
        tx.update(payment)
        refund = new_refund(capture, left, now)
        _becomes(books, tx, refund, "PAYMENT.CAPTURE.REVERSED", now)


def _settle_refund(books: Telling, tx: Transaction, refund: Document, payment: Payment, now: float) -> None:
    failed = refund.body["ends_as"] == "FAILED"
    settled = changed(refund, now, ends_as="", status=refund.body["ends_as"])
    capture = tx.document("capture", refund.body["capture"])
    if failed and capture is not None:
        payment.refunded -= refund.body["amount"]
        tx.update(payment)
        tx.put_document(given_back(capture, -refund.body["amount"], now))
    _becomes(books, tx, settled, "PAYMENT.REFUND.FAILED" if failed else "PAYMENT.CAPTURE.REFUNDED", now)


def _becomes(books: Telling, tx: Transaction, document: Document, kind: str, now: float) -> None:
    tx.put_document(document)
    books.tell(tx, kind, document, now)


def new_refund(
    capture: Document, amount: int, now: float, due_at: float | None = None, **fields: Any
) -> Document:
    """A refund of a capture, done unless the fields say otherwise; something is to become of it at `due_at`."""
    body = {
        "amount": amount,
        "capture": capture.id,
        "created": now,
        "currency": capture.body["currency"],
        "custom_id": capture.body["custom_id"],
        "ends_as": "",
        "invoice_id": "",
        "note": "",
        "order": capture.body["order"],
        "reason": "",
        "status": "COMPLETED",
        "updated": now,
        **fields,
    }
    return Document(new_id(), "refund", capture.payment_id, body, due_at)


SETTLED: dict[str, Callable[[Any, Transaction, Document, Payment, float], None]] = {
    "capture": _settle_capture,
    "refund": _settle_refund,
}
