"""What becomes of transactions: by themselves, and because their payment in the ledger changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from .. import disputes
from ..payments import Payment, Status
from ..rows import Document
from ..scripts import Effect, Script
from ..transaction import Transaction
from .declines import APPROVED, response_of
from .shapes import REFUND, SALE, answered, moved

# Of these a refund has moved nothing.
BACK = frozenset({"voided", "settlement_declined"})
SUBMITTED, PENDING, SETTLED = "submitted_for_settlement", "settlement_pending", "settled"
_DECLINED, _DECLINED_CODE, _PENDING_CODE = "settlement_declined", "4001", "4002"
_TOLD = {SETTLED: "transaction_settled", _DECLINED: "transaction_settlement_declined"}
_TAKES = frozenset({"charge", "capture"})
Ahead = Sequence[tuple[float, str]]


class Telling(disputes.Disputing, Protocol):
    """The books, as far as this module needs them."""

    def tell(self, tx: Transaction, kind: str, one: Document, now: float) -> None:
        """Put an event about a transaction in the webhook queue."""

    def begin_hold(self, tx: Transaction, payment: Payment, now: float) -> None:
        """Have what has just been held released by itself, in its time."""


def way_of(script: Script, settles_s: float, now: float) -> tuple[str, Ahead]:
    """How what was just submitted stands, and how it goes on by itself."""
    if script.effect is Effect.PENDING:
        return PENDING, [(now + script.settle_s, _DECLINED if script.code else SETTLED)]
    if script.effect is Effect.TAKE_BACK:
        return SUBMITTED, [(now + script.settle_s, _DECLINED)]
    return SUBMITTED, [(now + settles_s, SETTLED)]


def submitted(
    books: Telling,
    tx: Transaction,
    one: Document,
    payment: Payment,
    script: Script,
    now: float,
    **fields: Any,
) -> Document:
    """A transaction of which the money is to be collected. The payment has captured it already."""
    own = books.script_of(tx, payment)
    undone = own.effect is Effect.TAKE_BACK and not own.acts_on.isdisjoint(_TAKES)
    status, ahead = way_of(own if undone else script, own.settles_s, now)
    amount = fields.get("amount", one.body["amount"])
    settlement = _PENDING_CODE if status == PENDING else ""
    taken = moved(one, status, now, ahead, **fields, taken=amount, settlement=settlement)
    tx.put_document(taken)
    disputes.contest(books, tx, payment, now)
    return taken


def note(books: Telling, tx: Transaction, sale: Document, payment: Payment, kind: str, now: float) -> None:
    """The payment's status has just changed by itself: `kind` is the ledger's word for it."""
    was, ended = sale.body["status"], kind.removeprefix("payment.")
    if ended == "authorized":
        code, text = APPROVED
        held = moved(sale, "authorized", now, response=code, response_text=text, expires=payment.due_at)
        tx.put_document(held)
    elif was == PENDING and ended in ("succeeded", "failed") and payment.capture_method != "manual":
        taken = payment.amount if ended == "succeeded" else 0
        becomes(books, tx, sale, SETTLED if taken else _DECLINED, now, taken=taken)
        if taken:
            disputes.contest(books, tx, payment, now)
    elif was == "authorizing" and ended == "succeeded":
        code, text = APPROVED
        submitted(
            books, tx, sale, payment, books.script_of(tx, payment), now, response=code, response_text=text
        )
    elif was == "authorizing" and ended == "failed":
        response = response_of(payment.error_code)
        tx.put_document(moved(sale, response.status, now, **answered(response)))
    elif was in ("authorized", PENDING) and ended in ("voided", "succeeded"):
        tx.put_document(moved(sale, "authorization_expired", now))


def settle(books: Telling, tx: Transaction, one: Document, payment: Payment, now: float) -> None:
    """Go on as it was to go on."""
    (_, status), *ahead = one.body["ahead"]
    comes_to(books, tx, one, payment, status, now, ahead)


def comes_to(
    books: Telling,
    tx: Transaction,
    one: Document,
    payment: Payment,
    status: str,
    now: float,
    ahead: Ahead = (),
) -> Document:
    """A transaction that was submitted is in another status, with what that makes of the payment."""
    if payment.status is Status.PENDING and one.body["role"] == SALE and status in _TOLD:
        payment.schedule(now, payment.charged_status if status == SETTLED else Status.FAILED)
        payment.settle()
        payment.news.clear()
        tx.update(payment)
        return becomes(books, tx, one, status, now, taken=payment.amount if status == SETTLED else 0)
    if status != _DECLINED:
        return becomes(books, tx, one, status, now, ahead)
    if one.body["role"] == REFUND:
        payment.take_back("refund", one.body["amount"])
    else:
        payment.take_back("capture", one.body["taken"])
    tx.update(payment)
    return becomes(books, tx, one, status, now, taken=0)


def becomes(
    books: Telling,
    tx: Transaction,
    one: Document,
    status: str,
    now: float,
    ahead: Ahead = (),
    **fields: Any,
) -> Document:
    """Keep it so, and tell of it."""
    code = {_DECLINED: _DECLINED_CODE, PENDING: _PENDING_CODE, SETTLED: "4000"}.get(status, "")
    after = moved(one, status, now, ahead, settlement=code, **fields)
    tx.put_document(after)
    if status in _TOLD:
        books.tell(tx, _TOLD[status], after, now)
    return after
