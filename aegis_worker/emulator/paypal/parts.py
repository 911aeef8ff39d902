"""What calls about a part of an order have in common: which part, which amount, which invoice, how it goes on."""

from __future__ import annotations

from ..rows import Document
from ..scripts import Effect, Script
from ..transaction import Transaction
from .amounts import minor
from .books import MOVED_LIMIT, PayPalBooks
from .calls import Call, Done, Subject
from .errors import Refused
from .settling import UNDONE
from .shapes import SHAPES


def part_of(books: PayPalBooks, tx: Transaction, call: Call) -> Subject:
    """The authorization or capture that the call is about, with its order. Raises Refused."""
    part, order = books.part(tx, "capture" if call.name == "refund" else "authorization", call.target)
    return Subject(order, books.script_of_source(order.payment, order.about), call.name, part)


def part(subject: Subject) -> Document:
    """The part that the call is about."""
    if subject.part is None:
        raise AssertionError("unreachable: these calls are about a part of an order")
    return subject.part


def amount_of(call: Call, currency: str, mismatch: str) -> int | None:
    """The amount that the call names, in minor units; None where it names none. Raises Refused: another currency is a
    `mismatch`.
    """
    if "amount" not in call.body:
        return None
    amount, given = minor(call.body["amount"])
    if given != currency:
        raise Refused(mismatch, field="/amount/currency_code")
    return amount


def check_invoice(tx: Transaction, subject: Subject, kind: str, invoice: str) -> None:
    """No other capture or refund has this invoice. Raises Refused(422)."""
    ours = [
        one
        for one in tx.documents_of(subject.payment.id, kind, MOVED_LIMIT)
        if one.body["invoice_id"] == invoice
    ]
    others = [one for one in tx.by_reference(invoice, 20) if one.id != subject.payment.id] if invoice else []
    if others or (invoice and any(one.body["status"] not in ("DECLINED", "FAILED") for one in ours)):
        raise Refused("DUPLICATE_INVOICE_ID", field="/invoice_id")


def how(script: Script, now: float) -> tuple[str, str, float | None]:
    """How a capture or refund stands for now, how it ends by itself, and when."""
    if script.effect is Effect.PENDING:
        return "PENDING", "DECLINED" if script.code else "COMPLETED", now + script.settle_s
    if script.effect in UNDONE:
        return "COMPLETED", UNDONE[script.effect], now + script.settle_s
    return "COMPLETED", "", None


def made_by(books: PayPalBooks, call: Call, made: Document, amount: int, reference: str) -> Done:
    """What the call has made."""
    shown = SHAPES[made.kind](made, books.options.base_url)
    return Done(made.kind, made.id, shown, at=call.now, amount=amount, reference=reference)
