"""What was really charged, captured and refunded, whatever was answered: the ledger as others may read it."""

from __future__ import annotations

from typing import Any

from . import disputes
from .books import DISPUTES_LIMIT, Books
from .payments import Payment, Status
from .transaction import Transaction

PAGE_LIMIT = 1000


def page(books: Books, cursor: int, limit: int) -> dict[str, Any]:
    """All of it, oldest first. Start at cursor 0 each time: a late commit keeps its early place."""
    with books.transaction() as tx:
        now = books.now()
        books.settle_due(tx, now)
        payments, following = tx.page(cursor, min(limit, PAGE_LIMIT))
        return _shown(books, [_booked(books, tx, payment, now) for payment in payments], following)


def under(books: Books, reference: str) -> dict[str, Any]:
    """What is under a reference of the merchant's, oldest first."""
    with books.transaction() as tx:
        now = books.now()
        books.settle_due(tx, now)
        found = [one for one in tx.by_reference(reference, PAGE_LIMIT) if one.status is not Status.UNBORN]
        return _shown(books, [_booked(books, tx, payment, now) for payment in found], None)


def newest(books: Books, limit: int) -> list[dict[str, Any]]:
    """What came lately, the newest first."""
    with books.transaction() as tx:
        now = books.now()
        books.settle_due(tx, now)
        return [_booked(books, tx, payment, now) for payment in tx.newest(limit)]


def _shown(books: Books, charges: list[dict[str, Any]], following: int | None) -> dict[str, Any]:
    return {"gateway": books.options.name, "charges": charges, "next_cursor": following}


def _booked(books: Books, tx: Transaction, payment: Payment, now: float) -> dict[str, Any]:
    return {
        "payment_id": payment.id,
        "charge_id": books.charge_id(tx, payment),
        "reference": payment.reference,
        "merchant_payment_id": payment.merchant_payment_id,
        "status": payment.status,
        "amount": payment.amount,
        "currency": payment.currency,
        "authorized": payment.authorized,
        "captured": payment.captured,
        "refunded": payment.refunded,
        "captures": books.captures(tx, payment, now),
        "refunds": books.refunds(tx, payment, now),
        "disputes": disputes.booked(tx, payment.id, DISPUTES_LIMIT),
    }
