"""What POSTs about holds do to the ledger: capture, reauthorize and void an authorization."""

from __future__ import annotations

from typing import Any

from .. import disputes
from ..payments import Status
from ..rows import Document
from ..scripts import Effect, Script
from ..transaction import Transaction
from .bodies import text, truth
from .books import HONOURED_S, PayPalBooks
from .calls import Call, Done, Subject
from .declines import wallet_issue
from .errors import Refused, issue_reply
from .parts import amount_of, check_invoice, how, made_by, part
from .settling import HELD, changed
from .shapes import moved_body, new_id

_TOO_LATE = {
    "CAPTURED": "AUTHORIZATION_ALREADY_CAPTURED",
    "DENIED": "AUTHORIZATION_DENIED",
    "EXPIRED": "AUTHORIZATION_EXPIRED",
    "VOIDED": "AUTHORIZATION_VOIDED",
}
_DENIED_TO_VOID = {
    "CAPTURED": "PREVIOUSLY_CAPTURED",
    "DENIED": "PREVIOUSLY_VOIDED",
    "EXPIRED": "PREVIOUSLY_VOIDED",
}


def capture(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Take a part of what is held, or all. Raises Refused."""
    payment, held = subject.payment, part(subject)
    amount, invoice = _wanted(tx, call, subject), text(call.body, "invoice_id")
    if books.script_of(tx, payment).honoured_only and call.now > held.body["honoured_from"] + HONOURED_S:
        raise Refused("PAYER_CANNOT_PAY")
    if script.effect is Effect.DECLINE:
        return _declined(call, subject, script, amount, invoice)
    final = truth(call.body, "final_capture")
    payment.capture(amount, final)
    payment.news.clear()
    status, ends_as, due_at = how(script, call.now)
    fields: dict[str, Any] = {
        "amount": amount,
        "authorization": held.id,
        "ends_as": ends_as,
        "final": final,
        "invoice_id": invoice or subject.order.about["invoice_id"],
        "reason": script.pends_for,
        "status": status,
    }
    body = moved_body(payment, subject.order.about, call.now, **fields)
    made = Document(new_id(), "capture", payment.id, body, due_at)
    tx.put_document(made)
    _put_holds(
        tx, subject, call.now, "PARTIALLY_CAPTURED" if payment.status is Status.AUTHORIZED else "CAPTURED"
    )
    tx.update(payment)
    books.tell(tx, f"PAYMENT.CAPTURE.{status}", made, call.now)
    if status == "COMPLETED":
        disputes.contest(books, tx, payment, call.now)
    return made_by(books, call, made, amount, invoice)


def _wanted(tx: Transaction, call: Call, subject: Subject) -> int:
    """The amount to capture, in minor units. Raises Refused."""
    payment = subject.payment
    _check_held(part(subject))
    left = payment.authorized - payment.captured
    amount = amount_of(call, payment.currency, "AUTH_CAPTURE_CURRENCY_MISMATCH")
    amount = left if amount is None else amount
    if amount > left:
        raise Refused("MAX_CAPTURE_AMOUNT_EXCEEDED", field="/amount/value")
    check_invoice(tx, subject, "capture", text(call.body, "invoice_id"))
    return amount


def reauthorize(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Have a hold honoured for three more days, under a new id. Raises Refused."""
    held = part(subject)
    _check_held(held)
    if held.body["parent"]:
        raise Refused("REAUTHORIZATION_NOT_SUPPORTED")
    amount = amount_of(call, subject.payment.currency, "AUTH_CURRENCY_MISMATCH")
    if amount is not None and amount > subject.payment.authorized - subject.payment.captured:
        raise Refused("TRANSACTION_REFUSED")
    newest = subject.order.moved["authorization"][-1]
    if call.now <= newest.body["honoured_from"] + HONOURED_S:
        raise Refused("REAUTHORIZATION_TOO_SOON")
    body = {
        **held.body,
        "created": call.now,
        "updated": call.now,
        "honoured_from": call.now,
        "parent": held.id,
    }
    made = Document(new_id(), "authorization", subject.payment.id, body)
    tx.put_document(made)
    books.tell(tx, "PAYMENT.AUTHORIZATION.CREATED", made, call.now)
    return made_by(books, call, made, subject.payment.amount, "")


def void(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Release what is held. Raises Refused."""
    payment, held = subject.payment, part(subject)
    status = held.body["status"]
    if held.body["parent"]:
        raise Refused("CANNOT_BE_VOIDED")
    if status not in HELD:
        raise Refused(_DENIED_TO_VOID.get(status, "PREVIOUSLY_VOIDED"))
    if script.effect is Effect.DECLINE:
        return _declined(call, subject, script, payment.amount, "")
    payment.void()
    payment.news.clear()
    _put_holds(tx, subject, call.now, "VOIDED")
    tx.update(payment)
    ended = changed(held, call.now, status="VOIDED")
    books.tell(tx, "PAYMENT.AUTHORIZATION.VOIDED", ended, call.now)
    return made_by(books, call, ended, payment.amount, "")


def _check_held(held: Document) -> None:
    if held.body["status"] not in HELD:
        raise Refused(_TOO_LATE.get(held.body["status"], "TRANSACTION_REFUSED"))


def _put_holds(tx: Transaction, subject: Subject, now: float, status: str) -> None:
    """All ids of a hold stand alike."""
    for one in subject.order.moved["authorization"]:
        if one.body["status"] in HELD:
            tx.put_document(changed(one, now, status=status))


def _declined(call: Call, subject: Subject, script: Script, amount: int, invoice: str) -> Done:
    reply = issue_reply(wallet_issue(script.code))
    return Done(declined=reply, at=call.now, error_code=script.code, amount=amount, reference=invoice)
