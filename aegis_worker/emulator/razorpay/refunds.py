"""What a POST of a refund does: give a part of a captured payment back, or all. The only call with a key."""

from __future__ import annotations

from ..payments import Status
from ..replies import json_reply
from ..scripts import Effect, Script
from ..transaction import Transaction
from .bodies import amount_of, notes_of, text
from .books import RazorpayBooks
from .calls import Call, Done, Subject
from .errors import Refused, error_reply, invalid
from .settling import refund_as, refund_body
from .shapes import refund_object

_SPEEDS = ("normal", "optimum")
_TOO_POOR = (
    "Your account does not have enough balance to carry out the refund operation. You can add funds to your account from"
    " your Razorpay dashboard or capture new payments."
)


def refunded(books: RazorpayBooks, tx: Transaction, call: Call) -> Subject:
    """The payment of which a call gives something back. Raises Refused."""
    paid = books.paid(tx, call.target)
    return Subject(paid.payment, paid.order, books.script_of(tx, paid.payment), "refund")


def refund(books: RazorpayBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """It is taken from the payment at once, whenever the payer gets it. Raises Refused."""
    payment = subject.payment
    amount, receipt = _wanted(call, subject), text(call.body, "receipt")
    speed = text(call.body, "speed") or "normal"
    if speed not in _SPEEDS:
        raise invalid("The speed must be normal or optimum.", "speed")
    body = refund_body(
        amount, payment.currency, call.now, notes=notes_of(call.body), receipt=receipt, speed=speed
    )
    if script.effect is Effect.DECLINE:
        return Done(error_reply(400, _TOO_POOR), amount, call.now, script.code, receipt)
    payment.refund(amount)
    payment.news.clear()
    tx.update(payment)
    made = refund_as(books, tx, books.paid(tx, payment.id), script, body, call.now)
    return Done(json_reply(200, refund_object(made)), amount, call.now, reference=receipt)


def _wanted(call: Call, subject: Subject) -> int:
    """The amount to give back, in minor units. Raises Refused."""
    payment = subject.payment
    left = payment.captured - payment.refunded
    if payment.status is Status.VOIDED or (payment.captured and not left):
        raise Refused("The payment has been fully refunded already")
    if payment.status is not Status.SUCCEEDED:
        raise Refused("The payment status should be captured for action to be taken")
    amount = amount_of(call.body, payment.currency) if call.body.get("amount") is not None else left
    if amount > left:
        raise Refused("The refund amount provided is greater than amount captured")
    return amount
