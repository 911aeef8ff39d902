"""What calls about a transaction do to the ledger: submit all or a part of it for settlement, void it, refund it."""

from __future__ import annotations

from typing import Any

from ..payments import Payment, Status
from ..rows import Document
from ..scripts import Effect, Script
from ..transaction import Transaction
from . import bodies
from .books import BraintreeBooks
from .calls import Call, Done, Subject
from .declines import APPROVED, PROCESSED
from .errors import Refused
from .instruments import PAYPAL, kept
from .settling import BACK, PENDING, SETTLED, SUBMITTED, submitted, way_of
from .shapes import KIND, PART, REFUND, SALE, moved, new_body, new_id

_AUTHORIZED = "authorized"
_REFUNDABLE = frozenset({SETTLED, "settling"})
# Declines of these are final; any other may be tried again.
_HARD = "hard_"


def submit(books: BraintreeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Collect what is held, or less of it; the rest is released. Raises Refused."""
    one, payment = subject.one, subject.payment
    if one.body["status"] != _AUTHORIZED:
        raise Refused("not_submittable", call.shown)
    amount = _at_most(call, payment, payment.authorized - payment.captured)
    _check_script(script, call, "submit")
    payment.capture(amount, final=True)
    payment.news.clear()
    tx.update(payment)
    fields: dict[str, Any] = {"amount": amount, "expires": None}
    order_id = bodies.order_id_of(call.body, call.shown)
    if order_id:
        fields["order_id"] = order_id
    after = submitted(books, tx, one, payment, script, call.now, **fields)
    return _done(books, tx, call, after, amount)


def submit_part(books: BraintreeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Collect a part of what is held as a transaction of its own. Raises Refused."""
    one, payment = subject.one, subject.payment
    if one.body["role"] != SALE:
        raise Refused("no_part_of_part", call.shown)
    if payment.status is not Status.AUTHORIZED:
        raise Refused("not_submittable", call.shown)
    left = payment.authorized - payment.captured
    amount = _at_most(call, payment, left)
    _check_script(script, call, "submit")
    payment.capture(amount, final=False)
    payment.news.clear()
    tx.update(payment)
    part = _made_of(call, one, payment, PART, amount, APPROVED)
    whole = SETTLED if amount == left else PENDING
    if one.body["status"] != whole:
        tx.put_document(moved(one, whole, call.now))
    after = submitted(books, tx, part, payment, script, call.now)
    return _done(books, tx, call, after, amount)


def void(books: BraintreeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Release what is held, or give back what was submitted and is not settled yet. Raises Refused."""
    one, payment = subject.one, subject.payment
    status, role = one.body["status"], one.body["role"]
    has_parts = role == SALE and status == PENDING and payment.status is Status.AUTHORIZED
    by_paypal = kept(one.body["instrument"]).kind == PAYPAL and status == PENDING
    if not (status in (_AUTHORIZED, SUBMITTED) or has_parts or by_paypal) or script.effect is Effect.DECLINE:
        raise Refused("not_voidable", call.shown)
    if role == REFUND:
        payment.take_back("refund", one.body["amount"])
    elif one.body["taken"]:
        payment.refund(one.body["taken"])
    else:
        payment.void()
    payment.news.clear()
    tx.update(payment)
    after = moved(one, "voided", call.now, expires=None)
    tx.put_document(after)
    return _done(books, tx, call, after, one.body["amount"])


def refund(books: BraintreeBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Give back a part of what was settled, or all, as a transaction of its own. Raises Refused."""
    one, payment = subject.one, subject.payment
    if one.body["role"] == REFUND:
        raise Refused("no_refund_of_credit", call.shown)
    if one.body["status"] not in _REFUNDABLE:
        raise Refused("refund_unsettled", call.shown)
    given = [one.body["amount"] for one in books.family(tx, one).refunds if one.body["status"] not in BACK]
    left = one.body["taken"] - sum(given)
    if left <= 0:
        raise Refused("refunded", call.shown)
    amount = bodies.amount_of(call.body, payment.currency, call.shown)
    amount = left if amount is None else amount
    if amount > left:
        raise Refused("refund_large", call.shown)
    _check_script(script, call, "refund")
    payment.refund(amount)
    payment.news.clear()
    tx.update(payment)
    made = _made_of(call, one, payment, REFUND, amount, PROCESSED)
    status, ahead = way_of(script, books.script_of(tx, payment).settles_s, call.now)
    after = moved(made, status, call.now, ahead)
    tx.put_document(after)
    return _done(books, tx, call, after, amount)


def _at_most(call: Call, payment: Payment, left: int) -> int:
    """The amount that the call names, in minor units; all that is left where it names none. Raises Refused."""
    amount = bodies.amount_of(call.body, payment.currency, call.shown)
    if amount is not None and amount > left:
        raise Refused("settlement_large", call.shown)
    return left if amount is None else amount


def _check_script(script: Script, call: Call, name: str) -> None:
    """Raises Refused where the script refuses it: nothing has moved, and what is held stays held."""
    if script.effect is Effect.DECLINE:
        raise Refused(f"{name}_{'hard' if script.name.startswith(_HARD) else 'soft'}", call.shown)


def _made_of(
    call: Call, one: Document, payment: Payment, role: str, amount: int, response: tuple[str, str]
) -> Document:
    own_id, (code, text) = new_id(), response
    fields = {
        "account": one.body["account"],
        "amount": amount,
        "customer": one.body["customer"],
        "merchant": one.body["merchant"],
        "order_id": bodies.order_id_of(call.body, call.shown) or one.body["order_id"],
        "parent": one.id,
        "response": code,
        "response_text": text,
    }
    body = new_body(payment, call.now, role, kept(one.body["instrument"]), **fields)
    return Document(own_id, KIND, payment.id, body)


def _done(books: BraintreeBooks, tx: Transaction, call: Call, after: Document, amount: int) -> Done:
    return Done(after.id, call.now, amount, after.body["order_id"], books.object(tx, after))
