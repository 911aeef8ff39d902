"""What the payer does in Checkout: pay an order, and get what proves it.

The shop hands the three values on: razorpay.com/docs/payments/payment-gateway/web-integration/standard/integration-steps.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

from ..operations import carry_out
from ..payments import Payment, Status
from ..replies import Reply, json_reply
from ..rows import Document
from ..scripts import Effect, Script
from ..transaction import Transaction
from .bodies import notes_of, text
from .books import RazorpayBooks
from .calls import Call, Done, Subject
from .declines import declined_reply
from .errors import Refused, invalid
from .events import signature
from .orders import attempted, new_payment
from .shapes import new_id, payment_status
from .sources import at_checkout, source_of


def already_paid(order_id: str) -> Refused:
    """Another payment of the order has come first."""
    return Refused(
        "Your payment has been declined as the order is already paid. Please initiate the payment with a new order.",
        where=("business", "payment_initiation", "order_already_paid"),
        metadata={"order_id": order_id},
    )


def payer_of(books: RazorpayBooks, tx: Transaction, call: Call) -> Subject:
    """The payment that the payer begins. Raises Refused."""
    order = books.order(tx, call.target)
    begun = books.payments_of(tx, order.id)
    if order.body["paid_by"] or any(one.payment.status is Status.AUTHORIZED for one in begun):
        raise already_paid(order.id)
    source = source_of(call.body)
    return_url = text(call.body, "callback_url", 2048)
    if return_url and not return_url.startswith(("http://", "https://")):
        raise invalid("The callback_url format is invalid.", "callback_url")
    payment = new_payment(order, source.method, source.token, return_url, call.now)
    about = {
        **source.about,
        "acquirer": secrets.token_hex(6),
        "card_id": new_id("card") if source.method == "card" else "",
        "is_authorized": False,
        "notes": notes_of(call.body),
    }
    script = at_checkout(books.script_of_charge(payment))
    return Subject(payment, order, script, "charge", about)


def pay(books: RazorpayBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """The payer's money is held, or taken if the order is captured automatically. Raises Refused."""
    payment, order = subject.payment, attempted(subject.order)
    tx.put_document(order)
    tx.put_document(Document(payment.id, "payment", order.id, dict(subject.about)))
    comes_late = script.effect is Effect.LATE
    does = replace(script, effect=Effect.DECLINE) if comes_late else script
    done = carry_out("charge", payment, does, None, call.now, is_new=True)
    if comes_late:
        payment.schedule(call.now + script.settle_s, payment.charged_status)
    _capture_in_time(payment, order)
    books.begin_hold(tx, payment, call.now)
    tx.add(payment)
    shown = replace(payment, news=[])
    books.queue_news(tx, payment, call.now)
    if done.at > call.now:
        # A late commit is answered when it has happened.
        shown.settle()
    return Done(answer_to_payer(books, shown, order.id), payment.amount, done.at, done.error_code)


def _capture_in_time(payment: Payment, order: Document) -> None:
    """What is authorized later than the order captures automatically has to be captured by the merchant."""
    minutes = order.body["automatic_minutes"]
    is_late = minutes is not None and (payment.due_at or 0) > payment.created_at + minutes * 60
    if payment.due_status is Status.SUCCEEDED and is_late:
        payment.due_status = Status.AUTHORIZED


def answer_to_payer(books: RazorpayBooks, payment: Payment, order_id: str) -> Reply:
    """What Checkout hands the shop's page, as the payment stands: the proof of it, where to go on, or why it failed."""
    named = {"razorpay_payment_id": payment.id, "razorpay_order_id": order_id}
    match payment_status(payment):
        case "failed":
            metadata = {"payment_id": payment.id, "order_id": order_id}
            return declined_reply(payment.error_code, metadata)
        case "created":
            return json_reply(200, {**named, "next": _next_steps(books.options.base_url, payment, order_id)})
        case _:
            message = f"{order_id}|{payment.id}".encode()
            return json_reply(200, {**named, "razorpay_signature": signature(books.key_secret, message)})


def _next_steps(base_url: str, payment: Payment, order_id: str) -> list[dict[str, Any]]:
    poll = {"action": "poll", "url": f"{base_url}/checkout/{order_id}/payments/{payment.id}"}
    if payment.status is Status.REQUIRES_ACTION:
        return [{"action": "redirect", "url": f"{base_url}/3ds/{payment.id}"}, poll]
    return [poll]
