"""Disputes: opened by a test token or by hand, advanced by hand, by evidence, or when their time comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .ledger import Document, Transaction
from .payments import Payment, new_id

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


def opened(payment: Payment, contest: Contest, amount: int | None, now: float, **more: Any) -> Document:
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
    return Document(new_id("dp"), KIND, payment.id, body, now + contest.after_s if contest.ends else None)


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


def change(before: Document | None, after: Document) -> str:
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
