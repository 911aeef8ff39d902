"""What POSTs about orders do to the ledger: create one, say what pays it, capture or authorize it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..operations import carry_out
from ..payments import Payment, Status
from ..scripts import Effect, Script
from ..transaction import Transaction
from .books import PayPalBooks
from .calls import Call, Done, Subject, put_about
from .declines import wallet_issue
from .errors import Refused, issue_reply
from .orders import COMPLETING
from .shapes import Order, charged, order_object, page_of

FAILED_CHECK = "authentication_failed"
# How long an order waits for its payer.
_APPROVED_WITHIN_S = 3 * 3600.0


def create(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """A new order: one with a vaulted source is charged at once, any other waits for its payer. Raises Refused."""
    payment = subject.payment
    put_about(tx, subject.order)
    if subject.operation == "charge" and not script.payer_must_act:
        tx.add(payment)
        return charge(books, tx, call, subject, script)
    _wait_for_payer(payment, script if script.payer_must_act else subject.script, call.now)
    tx.add(payment)
    shown = order_object(subject.order, books.options.base_url)
    return Done("order", payment.id, shown, at=call.now, amount=payment.amount, reference=payment.reference)


def passes_if_clicked(script: Script) -> bool:
    """Whether a payer who approves in time has approved."""
    return not script.payer_must_act or script.code != FAILED_CHECK or script.lapses


def _wait_for_payer(payment: Payment, script: Script, now: float) -> None:
    """One who is scripted comes by themselves; any other has to click, or the order expires."""
    payment.become(Status.REQUIRES_ACTION)
    payment.news.clear()
    if script.payer_must_act:
        fails = script.code == FAILED_CHECK
        payment.schedule(now + script.payer_s, Status.VOIDED if fails else Status.AUTHENTICATED)
    else:
        payment.schedule(now + _APPROVED_WITHIN_S, Status.VOIDED)


def confirm_source(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """What pays the order: the payer is asked, or it counts as approved. Doing it again changes nothing."""
    order, payment = subject.order, subject.payment
    asked_before = books.order(tx, payment.id).about
    is_news = (asked_before["source"], asked_before["token"]) != (order.about["source"], order.about["token"])
    put_about(tx, order)
    if is_news and payment.status is Status.REQUIRES_ACTION:
        if script.payer_must_act or not order.about["token"]:
            _wait_for_payer(payment, script, call.now)
        else:
            payment.become(Status.AUTHENTICATED)
    tx.update(payment)
    books.queue_news(tx, payment, call.now)
    shown = order_object(books.order(tx, payment.id), books.options.base_url)
    return Done("order", payment.id, shown, at=call.now, amount=payment.amount, reference=payment.reference)


def charge(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Capture or authorize an order whose payer has approved it, or whose source is vaulted. Raises Refused."""
    payment, about = subject.payment, subject.order.about
    _check_invoice(tx, payment, about)
    if script.payer_must_act and payment.status is Status.CREATED:
        return _sent_to_page(books, tx, call, subject, script)
    if script.payer_must_act and script.code and payment.status is Status.AUTHENTICATED:
        script = replace(script, payer_must_act=False, effect=Effect.DECLINE)
    about["pends_for"] = script.pends_for
    payment.due_at, payment.due_status = None, None
    done = carry_out("charge", payment, script, None, call.now, is_new=False)
    put_about(tx, subject.order)
    books.begin_hold(tx, payment, call.now)
    tx.update(payment)
    books.queue_news(tx, payment, call.now)
    facts = (done.error_code, payment.amount, payment.reference)
    if script.effect is Effect.DECLINE and about["source"] != "card":
        reply = issue_reply(wallet_issue(script.code), links=_page(books, payment.id, "redirect"))
        return Done("", "", None, reply, call.now, *facts)
    later = replace(payment, news=[])
    moved = books.moved(tx, payment.id)
    # A late commit is answered when it has happened.
    if payment.due_at == done.at and payment.due_status in COMPLETING:
        later.settle()
        document = charged(later, about, done.at)
        moved = {**moved, document.kind: [document]}
    shown = order_object(Order(later, about, moved), books.options.base_url)
    return Done("order", payment.id, shown, None, done.at, *facts)


def _sent_to_page(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    payment = subject.payment
    _wait_for_payer(payment, script, call.now)
    put_about(tx, subject.order)
    tx.update(payment)
    reply = issue_reply("PAYER_ACTION_REQUIRED", links=_page(books, payment.id, "payer-action"))
    return Done(declined=reply, at=call.now, amount=payment.amount, reference=payment.reference)


def _page(books: PayPalBooks, order_id: str, rel: str) -> list[dict[str, Any]]:
    return [{"href": page_of(order_id, books.options.base_url), "rel": rel, "method": "GET"}]


def _check_invoice(tx: Transaction, payment: Payment, about: Mapping[str, Any]) -> None:
    """No other order with this invoice was paid. Raises Refused(422)."""
    paid = (Status.SUCCEEDED, Status.AUTHORIZED, Status.PENDING)
    same = tx.by_reference(about["invoice_id"], 20) if about["invoice_id"] else []
    if any(one.id != payment.id and one.status in paid for one in same):
        raise Refused("DUPLICATE_INVOICE_ID", field="/purchase_units/@reference_id=='default'/invoice_id")
