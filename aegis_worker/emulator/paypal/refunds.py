"""What a POST about a capture does to the ledger: refund it."""

from __future__ import annotations

from .. import disputes
from ..scripts import Effect, Script
from ..transaction import Transaction
from .bodies import text
from .books import MOVED_LIMIT, PayPalBooks
from .calls import Call, Done, Subject
from .errors import Refused, issue_reply
from .parts import amount_of, check_invoice, how, made_by, part
from .settling import given_back, new_refund, stands


def refund(books: PayPalBooks, tx: Transaction, call: Call, subject: Subject, script: Script) -> Done:
    """Give a part of a capture back, or all. Raises Refused."""
    payment, taken = subject.payment, part(subject)
    amount, invoice = _wanted(tx, call, subject), text(call.body, "invoice_id")
    if script.effect is Effect.DECLINE:
        reply = issue_reply("REFUND_FAILED_INSUFFICIENT_FUNDS")
        return Done("", "", None, reply, call.now, script.code, amount, invoice)
    payment.refund(amount)
    payment.news.clear()
    tx.update(payment)
    status, ends_as, due_at = how(script, call.now)
    fields = {
        "custom_id": text(call.body, "custom_id") or taken.body["custom_id"],
        "ends_as": "FAILED" if ends_as == "DECLINED" else ends_as,
        "invoice_id": invoice,
        "note": text(call.body, "note_to_payer"),
        "reason": "ECHECK",
        "status": status,
    }
    made = new_refund(taken, amount, call.now, due_at, **fields)
    tx.put_document(made)
    tx.put_document(given_back(taken, amount, call.now))
    kind = "PAYMENT.REFUND.PENDING" if status == "PENDING" else "PAYMENT.CAPTURE.REFUNDED"
    books.tell(tx, kind, made, call.now)
    return made_by(books, call, made, amount, invoice)


def _wanted(tx: Transaction, call: Call, subject: Subject) -> int:
    """The amount to give back, in minor units. Raises Refused."""
    taken = part(subject)
    if taken.body["status"] == "PENDING":
        raise Refused("PENDING_CAPTURE")
    if taken.body["status"] == "REFUNDED":
        raise Refused("CAPTURE_FULLY_REFUNDED")
    if not stands(taken):
        raise Refused("REFUND_NOT_ALLOWED")
    left = taken.body["amount"] - taken.body["refunded"]
    amount = amount_of(call, subject.payment.currency, "REFUND_CAPTURE_CURRENCY_MISMATCH")
    amount = left if amount is None else amount
    if amount > left:
        raise Refused("REFUND_AMOUNT_EXCEEDED", field="/amount/value")
    check_invoice(tx, subject, "refund", text(call.body, "invoice_id"))
    found = tx.documents_of(subject.payment.id, disputes.KIND, MOVED_LIMIT)
    if any(one.body["status"] in disputes.WITHDRAWN for one in found):
        raise Refused("TRANSACTION_DISPUTED")
    return amount
