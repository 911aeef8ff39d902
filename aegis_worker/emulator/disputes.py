"""Disputes: opened by a test token or by hand, advanced by hand, by evidence, or when their time comes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from .payments import Payment
from .rows import Document
from .scripts import Script
from .transaction import Transaction

KIND = "dispute"
STATUSES = ("warning", "needs_response", "under_review", "closed", "accepted", "won", "lost")
# The money is the payer's for now, or for good.
WITHDRAWN = frozenset({"needs_response", "under_review", "lost"})
OVER = frozenset({"closed", "accepted", "won", "lost"})
_WAIT_FOR_EVIDENCE = frozenset({"warning", "needs_response"})
_RESPOND_WITHIN_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Contest:
    """What a payer does about a payment: which dispute they open, and how it `ends` by itself `after_s` seconds."""

    status: str = "needs_response"
    reason: str = "fraudulent"
    ends: str = ""
    after_s: float = 0.0


def _opened(
    dispute_id: str, payment: Payment, contest: Contest, amount: int | None, now: float, **more: Any
) -> Document:
    """A new dispute of `amount` minor units (None: all that was captured). Raises ValueError."""
    amount = payment.captured if amount is None else amount
    if contest.status not in STATUSES or (contest.ends and contest.ends not in STATUSES):
        raise ValueError(f"status: one of {', '.join(STATUSES)}")
    if not 0 < amount <= payment.captured:
        raise ValueError(f"amount: from 1 to {payment.captured}, what was captured")
    body = {
        "amount": amount,
        "created": int(now),
        "currency": payment.currency,
        "ends_as": contest.ends,
        "reason": contest.reason,
        "reference": payment.reference,
        "respond_by": int(now) + _RESPOND_WITHIN_S,
        "status": contest.status,
        **more,
    }
    return Document(dispute_id, KIND, payment.id, body, now + contest.after_s if contest.ends else None)


def advanced(dispute: Document, status: str) -> Document:
    """The dispute in another status. Raises ValueError."""
    if status not in STATUSES:
        raise ValueError(f"status: one of {', '.join(STATUSES)}")
    return replace(dispute, body={**dispute.body, "status": status}, due_at=None)


def public(dispute: Document) -> dict[str, Any]:
    """As the sandbox shows it to a merchant."""
    body = dispute.body
    waits = body["status"] in _WAIT_FOR_EVIDENCE
    return {
        "id": dispute.id,
        "object": "dispute",
        "payment_id": dispute.payment_id,
        "reference": body["reference"],
        "amount": body["amount"],
        "currency": body["currency"],
        "status": body["status"],
        "reason": body["reason"],
        "respond_by": body["respond_by"] if waits else None,
        "created": body["created"],
    }


def kind_of(before: Document | None, after: Document) -> str:
    """What a webhook calls the change."""
    if before is None:
        return "dispute.opened"
    return "dispute.closed" if after.body["status"] in OVER else "dispute.updated"


def booked(tx: Transaction, payment_id: str, limit: int) -> list[Mapping[str, Any]]:
    """The payment's disputes, for the ledger."""
    return [
        {"id": one.id, "status": one.body["status"], "amount": one.body["amount"]}
        for one in tx.documents_of(payment_id, KIND, limit)
    ]


class Disputing(Protocol):
    """The books of a wire format, as far as disputes need them."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """One ledger transaction."""

    def now(self) -> float:
        """What time it is for this instance, in seconds since 1970."""

    def settle_due(self, tx: Transaction, now: float) -> None:
        """Carry out what is due."""

    def script_of(self, tx: Transaction, payment: Payment) -> Script:
        """The script of the payment's token."""

    def new_dispute_id(self) -> str:
        """The id of a dispute that is opened now."""

    def of_account(self, tx: Transaction, payment: Payment) -> dict[str, Any]:
        """Whose the payment is, where the wire format knows accounts."""

    def tell_of_dispute(self, tx: Transaction, before: Document | None, after: Document, now: float) -> None:
        """Put what webhooks say of a change in their queue; `before` is None for a new dispute."""


def contest(books: Disputing, tx: Transaction, payment: Payment, now: float) -> None:
    """The payer's bank does what the test token has it do, once."""
    script = books.script_of(tx, payment)
    if script.dispute and not tx.documents_of(payment.id, KIND, 1):
        wanted = Contest(script.dispute, script.dispute_reason, script.dispute_ends, script.dispute_s)
        _open(books, tx, payment, wanted, None, now)


def change(books: Disputing, tx: Transaction, before: Document | None, after: Document, now: float) -> None:
    """Keep the dispute as it is now, and put what webhooks say of it in the queue."""
    after = replace(after, body={**after.body, "updated": int(now)})
    tx.put_document(after)
    books.tell_of_dispute(tx, before, after, now)


def by_hand(books: Disputing, body: dict[str, Any]) -> dict[str, Any]:
    """Open a dispute of a `payment_id`, or put the one with the `id` into another `status`. Raises ValueError."""
    with books.transaction() as tx:
        now = books.now()
        books.settle_due(tx, now)
        if "id" in body:
            known = tx.document(KIND, str(body["id"]))
            if known is None:
                raise ValueError("no such dispute")
            dispute = advanced(known, str(body.get("status")))
            change(books, tx, known, dispute, now)
        else:
            payment = tx.payment(str(body.get("payment_id")))
            if payment is None:
                raise ValueError("no such payment")
            wanted = Contest(body.get("status", "needs_response"), body.get("reason", "fraudulent"))
            dispute = _open(books, tx, payment, wanted, body.get("amount"), now)
    return public(dispute)


def _open(
    books: Disputing, tx: Transaction, payment: Payment, wanted: Contest, amount: int | None, now: float
) -> Document:
    more = books.of_account(tx, payment)
    dispute = _opened(books.new_dispute_id(), payment, wanted, amount, now, **more)
    change(books, tx, None, dispute, now)
    return dispute
