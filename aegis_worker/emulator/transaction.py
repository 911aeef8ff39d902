"""What is read and written in the gateway's books: payments, operations, idempotency keys, first calls, due webhooks."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from .payments import Payment, Status
from .rows import Document, Operation, QueuedWebhook, StoredAnswer

_FIXED = (
    "id",
    "reference",
    "merchant_payment_id",
    "amount",
    "currency",
    "capture_method",
    "method",
    "token",
    "metadata",
    "return_url",
    "statement_descriptor",
    "created_at",
    "demands_3ds",
)
_MOVING = (
    "status",
    "authorized",
    "captured",
    "refunded",
    "error_code",
    "due_at",
    "due_status",
    "due_error",
    "hidden_until",
    "down_until",
    "client_secret",
    "given_script",
    "webhook_script",
)
_COLUMNS = ", ".join(_FIXED + _MOVING)
_INSERT = f"INSERT INTO payments ({_COLUMNS}) VALUES ({', '.join('?' * len(_FIXED + _MOVING))})"
_OPERATION = (
    "payment_id",
    "operation",
    "reference",
    "amount",
    "idempotency_key",
    "error_code",
    "at",
    "status",
    "due_at",
    "due_error",
)
_INSERT_OPERATION = (
    f"INSERT INTO operations ({', '.join(_OPERATION)}) VALUES ({', '.join('?' * len(_OPERATION))})"
)
_SHOWN = "seq, operation, reference, amount, status, nullif(error_code, '')"
_SETTLE_OPERATION = """
UPDATE operations SET due_at = NULL, error_code = due_error, status = iif(due_error = '', 'succeeded', 'failed')
WHERE seq = ?
"""
_UPDATE = f"UPDATE payments SET {', '.join(f'{column} = ?' for column in _MOVING)} WHERE id = ?"


class Transaction:
    """The statements of one open transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, payment: Payment) -> None:
        """A payment that is not in the ledger yet."""
        fixed = [getattr(payment, column) for column in _FIXED]
        fixed[_FIXED.index("metadata")] = json.dumps(payment.metadata)
        self._db.execute(_INSERT, fixed + [getattr(payment, column) for column in _MOVING])

    def update(self, payment: Payment) -> None:
        """A payment that was read in this transaction."""
        self._db.execute(_UPDATE, [*(getattr(payment, column) for column in _MOVING), payment.id])

    def payment(self, payment_id: str) -> Payment | None:
        """By the gateway's id."""
        found = self._payments("WHERE id = ?", payment_id, 1)
        return found[0] if found else None

    def by_reference(self, reference: str, limit: int) -> list[Payment]:
        """Payments that have an operation with this reference of the merchant's, oldest first."""
        where = "WHERE id IN (SELECT payment_id FROM operations WHERE reference = ?) ORDER BY seq"
        return self._payments(where, reference, limit)

    def due(self, now: float, limit: int) -> list[Payment]:
        """Payments whose scheduled change of status is due."""
        return self._payments("WHERE due_at <= ? ORDER BY due_at", now, limit)

    def _payments(self, where: str, value: object, limit: int) -> list[Payment]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM payments {where} LIMIT ?", (value, limit))
        return [_payment(row) for row in rows]

    def add_operation(self, done: Operation) -> None:
        """One operation, as carried out or declined."""
        self._db.execute(_INSERT_OPERATION, [getattr(done, column) for column in _OPERATION])

    def operations(self, payment_id: str, now: float, limit: int) -> list[dict[str, Any]]:
        """What was done to a payment until `now`, as the gateway shows it: the newest, in the order they were done."""
        rows = self._db.execute(
            f"SELECT {_SHOWN} FROM operations WHERE payment_id = ? AND at <= ? ORDER BY seq DESC LIMIT ?",
            (payment_id, now, limit),
        ).fetchall()
        return [_shown(row) for row in reversed(rows)]

    def settle_operations(self, now: float, limit: int) -> list[tuple[str, dict[str, Any]]]:
        """Of which payments something is done or taken back by now: the payment's id with the operation as it is now."""
        due = self._db.execute(
            "SELECT seq, payment_id FROM operations WHERE due_at <= ? ORDER BY due_at LIMIT ?", (now, limit)
        ).fetchall()
        settled = []
        for seq, payment_id in due:
            self._db.execute(_SETTLE_OPERATION, (seq,))
            row = self._db.execute(f"SELECT {_SHOWN} FROM operations WHERE seq = ?", (seq,)).fetchone()
            settled.append((payment_id, _shown(row)))
        return settled

    def amounts(self, payment_id: str, operation: str, now: float) -> list[int]:
        """What an operation moved of a payment until `now`, each time that it was carried out."""
        rows = self._db.execute(
            "SELECT amount FROM operations"
            " WHERE payment_id = ? AND operation = ? AND error_code = '' AND at <= ? ORDER BY seq",
            (payment_id, operation, now),
        )
        return [row[0] for row in rows]

    def page(self, cursor: int, limit: int) -> tuple[list[Payment], int | None]:
        """Payments that anybody could see, oldest first, and the cursor of the next page."""
        rows = self._db.execute(
            f"SELECT seq, {_COLUMNS} FROM payments WHERE seq > ? ORDER BY seq LIMIT ?", (cursor, limit)
        ).fetchall()
        payments = [_payment(row[1:]) for row in rows]
        following = rows[-1][0] if len(rows) == limit else None
        return [payment for payment in payments if payment.status is not Status.UNBORN], following

    def newest(self, limit: int) -> list[Payment]:
        """Payments that anybody could see, the newest first."""
        return self._payments("WHERE status <> ? ORDER BY seq DESC", Status.UNBORN, limit)

    def answer_of(self, key: str, now: float) -> StoredAnswer | None:
        """What this idempotency key answers, if it was used within its window."""
        row = self._db.execute(
            "SELECT request_hash, status, body, ready_at, expires_at FROM idempotency_keys"
            " WHERE key = ? AND expires_at > ?",
            (key, now),
        ).fetchone()
        return StoredAnswer(*row) if row else None

    def keep_answer(self, key: str, answer: StoredAnswer) -> None:
        """Replay this answer for the key from now on."""
        self._db.execute(
            "INSERT OR REPLACE INTO idempotency_keys (key, request_hash, status, body, ready_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (key, answer.request_hash, answer.status, answer.body, answer.ready_at, answer.expires_at),
        )

    def forget_keys(self, now: float, limit: int) -> None:
        """Drop keys past their window, at most `limit`."""
        self._db.execute(
            "DELETE FROM idempotency_keys WHERE key IN"
            " (SELECT key FROM idempotency_keys WHERE expires_at <= ? LIMIT ?)",
            (now, limit),
        )

    def is_first_call(self, reference: str, script: str, operation: str) -> bool:
        """Whether this is the first such call; it is remembered."""
        row = (reference, script, operation)
        return self._db.execute("INSERT OR IGNORE INTO first_calls VALUES (?, ?, ?)", row).rowcount == 1

    def put_document(self, document: Document) -> None:
        """Add it, or put it in the place of the one with its id."""
        row = (document.id, document.kind, document.payment_id, json.dumps(document.body), document.due_at)
        self._db.execute("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)", row)

    def drop_document(self, document_id: str) -> None:
        """Have it no more."""
        self._db.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def document(self, kind: str, document_id: str) -> Document | None:
        """By its id."""
        found = self._documents("WHERE kind = ? AND id = ?", (kind, document_id), 1)
        return found[0] if found else None

    def documents_of(self, payment_id: str, kind: str, limit: int, *, newest: bool = False) -> list[Document]:
        """Those of one payment, or of whom else they name, oldest first; `newest`: the newest, newest first."""
        order = "ORDER BY id DESC" if newest else "ORDER BY id"
        return self._documents(f"WHERE payment_id = ? AND kind = ? {order}", (payment_id, kind), limit)

    def due_documents(self, now: float, limit: int) -> list[Document]:
        """Those of which something is to become by now."""
        return self._documents("WHERE due_at <= ? ORDER BY due_at", (now,), limit)

    def _documents(self, where: str, values: tuple[object, ...], limit: int) -> list[Document]:
        rows = self._db.execute(
            f"SELECT id, kind, payment_id, body, due_at FROM documents {where} LIMIT ?", (*values, limit)
        )
        return [Document(row[0], row[1], row[2], json.loads(row[3]), row[4]) for row in rows]

    def queue_webhook(self, event_id: str, body: bytes, at: float, script: str = "") -> None:
        """Put one event in the queue, to be sent at `at` as `script` has it."""
        row = (event_id, body, at, script)
        self._db.execute("INSERT INTO webhooks (id, body, next_at, script) VALUES (?, ?, ?, ?)", row)

    def due_webhooks(self, now: float, limit: int) -> list[QueuedWebhook]:
        """Events to send now, in the order in which their time came."""
        rows = self._db.execute(
            "SELECT seq, id, body, tries, script FROM webhooks WHERE next_at <= ? ORDER BY next_at, seq LIMIT ?",
            (now, limit),
        )
        return [QueuedWebhook(*row) for row in rows]

    def drop_webhook(self, seq: int) -> None:
        """Remove an event that arrived, or was given up."""
        self._db.execute("DELETE FROM webhooks WHERE seq = ?", (seq,))

    def retry_webhook(self, seq: int, next_at: float) -> None:
        """Try it again at `next_at`."""
        self._db.execute("UPDATE webhooks SET tries = tries + 1, next_at = ? WHERE seq = ?", (next_at, seq))


def _shown(row: tuple[Any, ...]) -> dict[str, Any]:
    names = ("id", "operation", "reference", "amount", "status", "error_code")
    return dict(zip(names, (f"sop_{row[0]}", *row[1:]), strict=True))


def _payment(row: tuple[Any, ...]) -> Payment:
    values = dict(zip(_FIXED + _MOVING, row, strict=True))
    values["metadata"] = json.loads(values["metadata"])
    values["status"] = Status(values["status"])
    values["due_status"] = Status(values["due_status"]) if values["due_status"] else None
    return Payment(**values)
