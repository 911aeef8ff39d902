"""One call that moves money, what it is about, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..payments import Payment
from ..replies import Reply
from ..rows import Document, Operation
from ..scripts import Script
from ..transaction import Transaction


@dataclass(frozen=True, slots=True)
class Call:
    """`name`: sale, submit, partial, void or refund. `target`: the transaction in its path. `key`: of the ledger, None
    where none was given. `shown`: the body as errors show it. The names in `headers` are in lower case.
    """

    name: str
    merchant: str
    target: str
    body: Mapping[str, Any]
    shown: Mapping[str, Any]
    key: str | None
    request_hash: bytes
    headers: Mapping[str, str]
    now: float

    @property
    def operation(self) -> str:
        """As the scripts know it."""
        return {"sale": "charge", "submit": "capture", "partial": "capture"}.get(self.name, self.name)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call is about: a transaction, new or known, with its payment, and the script of what pays."""

    one: Document
    payment: Payment
    script: Script


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a call: the transaction that it made or changed, as it shows; or why it was `declined`.

    `at`: when it shows, in seconds since 1970, later than now for a late commit.
    """

    id: str
    at: float
    amount: int
    reference: str
    shown: dict[str, Any] | None = None
    declined: Reply | None = None
    error_code: str = ""


def note_operation(tx: Transaction, call: Call, subject: Subject, done: Done) -> None:
    """A row in the ledger for what was done."""
    row = (
        subject.payment.id,
        call.operation,
        done.reference,
        done.amount,
        call.key,
        done.error_code,
        done.at,
    )
    tx.add_operation(Operation(*row))
