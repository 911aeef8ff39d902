"""What POSTs about payments do to the ledger: capture, reauthorize and void an authorization, refund a capture."""

from __future__ import annotations

from typing import Any

from .. import disputes
from ..ledger import Document, Transaction
from ..payments import Status
from ..scripts import Effect, Script
from .amounts import minor
from .bodies import text, truth
from .books import HONOURED_S, MOVED_LIMIT, PayPalBooks
from .calls import Call, Done, Subject
from .declines import wallet_issue
from .errors import Refused, issue_reply
from .settling import HELD, UNDONE, changed, given_back, new_refund, stands
from .shapes import SHAPES, moved_body, new_id

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


def part_of(books: PayPalBooks, tx: Transaction, call: Call) -> Subject:
    """The authorization or capture that the call is about, with its order. Raises Refused."""
    part, order = books.part(tx, "capture" if call.name == "refund" else "authorization", call.target)
    return Subject(order, books.script_of_source(order.payment, order.about), call.name, part)


def capture(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Take a part of what is held, or all. Raises Refused."""
    payment, held = subject.payment, _of(subject)
    _check_held(held)
    amount = _amount(call, payment.currency, "AUTH_CAPTURE_CURRENCY_MISMATCH")
    left = payment.authorized - payment.captured
    amount = left if amount is None else amount
    if amount > left:
        raise Refused("MAX_CAPTURE_AMOUNT_EXCEEDED", field="/amount/value")
    invoice = text(call.body, "invoice_id")
    _check_invoice(tx, subject, "capture", invoice)
    if books.script_of(tx, payment).honoured_only and call.now > held.body["honoured_from"] + HONOURED_S:
        raise Refused("PAYER_CANNOT_PAY")
    if script.effect is Effect.DECLINE:
        return _declined(call, subject, script, amount, invoice)
    final = truth(call.body, "final_capture")
    payment.capture(amount, final)
    payment.news.clear()
    status, ends_as, due_at = _how(script, call.now)
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
    return _done(books, call, made, amount, invoice)


def reauthorize(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Have a hold honoured for three more days, under a new id. Raises Refused."""
    held = _of(subject)
    _check_held(held)
    if held.body["parent"]:
        raise Refused("REAUTHORIZATION_NOT_SUPPORTED")
    amount = _amount(call, subject.payment.currency, "AUTH_CURRENCY_MISMATCH")
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
    return _done(books, call, made, subject.payment.amount, "")


def void(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Release what is held. Raises Refused."""
    payment, held = subject.payment, _of(subject)
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
    return _done(books, call, ended, payment.amount, "")


def refund(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Give a part of a capture back, or all. Raises Refused."""
    payment, taken = subject.payment, _of(subject)
    if taken.body["status"] == "PENDING":
        raise Refused("PENDING_CAPTURE")
    if taken.body["status"] == "REFUNDED":
        raise Refused("CAPTURE_FULLY_REFUNDED")
    if not stands(taken):
        raise Refused("REFUND_NOT_ALLOWED")
    amount = _amount(call, payment.currency, "REFUND_CAPTURE_CURRENCY_MISMATCH")
    left = taken.body["amount"] - taken.body["refunded"]
    amount = left if amount is None else amount
    if amount > left:
        raise Refused("REFUND_AMOUNT_EXCEEDED", field="/amount/value")
    invoice = text(call.body, "invoice_id")
    _check_invoice(tx, subject, "refund", invoice)
    _check_disputes(tx, subject)
    if script.effect is Effect.DECLINE:
        return Done(
            declined=issue_reply("REFUND_FAILED_INSUFFICIENT_FUNDS"),
            at=call.now,
            error_code=script.code,
            amount=amount,
            reference=invoice,
        )
    payment.refund(amount)
    payment.news.clear()
    tx.update(payment)
    status, ends_as, due_at = _how(script, call.now)
    fields = {
        "custom_id": text(call.body, "custom_id") or taken.body["custom_id"],
        "ends_as": "FAILED" if ends_as == "DECLINED" else ends_as,
        "invoice_id": invoice,
        "note": text(call.body, "note_to_payer"),
        "reason": "ECHECK",
        "status": status,
    }
    made = new_refund(taken, amount, call.now, **fields)
    made = Document(made.id, made.kind, made.payment_id, made.body, due_at)
    tx.put_document(made)
    tx.put_document(given_back(taken, amount, call.now))
    kind = "PAYMENT.REFUND.PENDING" if status == "PENDING" else "PAYMENT.CAPTURE.REFUNDED"
    books.tell(tx, kind, made, call.now)
    return _done(books, call, made, amount, invoice)


def _of(subject: Subject) -> Document:
    if subject.part is None:
        raise AssertionError("unreachable: these calls are about a part of an order")
    return subject.part


def _check_held(held: Document) -> None:
    if held.body["status"] not in HELD:
        raise Refused(_TOO_LATE.get(held.body["status"], "TRANSACTION_REFUSED"))


def _amount(call: Call, currency: str, mismatch: str) -> int | None:
    if "amount" not in call.body:
        return None
    amount, given = minor(call.body["amount"])
    if given != currency:
        raise Refused(mismatch, field="/amount/currency_code")
    return amount


def _check_invoice(tx: Transaction, subject: Subject, kind: str, invoice: str) -> None:
    """No other capture or refund has this invoice. Raises Refused(422)."""
    ours = [
        one
        for one in tx.documents_of(subject.payment.id, kind, MOVED_LIMIT)
        if one.body["invoice_id"] == invoice
    ]
    others = [one for one in tx.by_reference(invoice, 20) if one.id != subject.payment.id] if invoice else []
    if others or (invoice and any(one.body["status"] not in ("DECLINED", "FAILED") for one in ours)):
        raise Refused("DUPLICATE_INVOICE_ID", field="/invoice_id")


def _check_disputes(tx: Transaction, subject: Subject) -> None:
    found = tx.documents_of(subject.payment.id, disputes.KIND, MOVED_LIMIT)
    if any(one.body["status"] in disputes.WITHDRAWN for one in found):
        raise Refused("TRANSACTION_DISPUTED")


def _how(script: Script, now: float) -> tuple[str, str, float | None]:
    """How a capture or refund stands for now, how it ends by itself, and when."""
    if script.effect is Effect.PENDING:
        return "PENDING", "DECLINED" if script.code else "COMPLETED", now + script.settle_s
    if script.effect in UNDONE:
        return "COMPLETED", UNDONE[script.effect], now + script.settle_s
    return "COMPLETED", "", None


def _put_holds(tx: Transaction, subject: Subject, now: float, status: str) -> None:
    """All ids of a hold stand alike."""
    for one in subject.order.moved["authorization"]:
        if one.body["status"] in HELD:
            tx.put_document(changed(one, now, status=status))


def _declined(call: Call, subject: Subject, script: Script, amount: int, invoice: str) -> Done:
    reply = issue_reply(wallet_issue(script.code))
    return Done(declined=reply, at=call.now, error_code=script.code, amount=amount, reference=invoice)


def _done(books: PayPalBooks, call: Call, made: Document, amount: int, reference: str) -> Done:
    shown = SHAPES[made.kind](made, books.options.base_url)
    return Done(made.kind, made.id, shown, at=call.now, amount=amount, reference=reference)
