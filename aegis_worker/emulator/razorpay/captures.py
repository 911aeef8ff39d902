"""What a POST about a payment does: capture it, the whole amount, once. It takes no key."""

from __future__ import annotations

from ..payments import Status
from ..replies import json_reply
from ..scripts import Effect, Script
from ..transaction import Transaction
from .bodies import amount_of, currency_of
from .books import RazorpayBooks
from .calls import Call, Done, Subject
from .checkout import already_paid
from .declines import declined_reply
from .errors import Refused, invalid
from .shapes import payment_object
from .sources import at_capture


def captured(books: RazorpayBooks, tx: Transaction, call: Call) -> Subject:
    """The payment that a call captures. Raises Refused."""
    paid = books.paid(tx, call.target)
    script = at_capture(books.script_of_charge(paid.payment))
    return Subject(paid.payment, paid.order, script, "capture")


def capture(books: RazorpayBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """The money is the merchant's. Raises Refused."""
    payment = subject.payment
    _check(call, subject)
    if script.effect is Effect.DECLINE:
        metadata = {"payment_id": payment.id, "order_id": subject.order.id}
        return Done(declined_reply(script.code, metadata), payment.amount, call.now, script.code)
    payment.capture(payment.amount, final=True)
    tx.update(payment)
    books.queue_news(tx, payment, call.now)
    return Done(json_reply(200, payment_object(books.paid(tx, payment.id))), payment.amount, call.now)


def _check(call: Call, subject: Subject) -> None:
    """Raises Refused."""
    payment = subject.payment
    currency = currency_of(call.body)
    amount = amount_of(call.body, currency)
    if payment.status is Status.SUCCEEDED:
        raise Refused("This payment has already been captured")
    if payment.status is not Status.AUTHORIZED:
        raise Refused("Only payments which have been authorized and not yet captured can be captured")
    if subject.order.body["paid_by"]:
        raise already_paid(subject.order.id)
    if currency != payment.currency:
        raise invalid("Payment currency mismatch", "currency")
    if amount != payment.amount:
        raise Refused("Capture amount must be equal to the amount authorized")
