"""One POST, what it is about, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..payments import Payment
from ..replies import Reply
from ..rows import Document, Operation
from ..scripts import Script
from ..transaction import Transaction

KEY = "x-refund-idempotency"


@dataclass(frozen=True, slots=True)
class Call:
    """One POST. `target`: the id in its path. The names in `headers` are in lower case."""

    name: str
    target: str
    body: Mapping[str, Any]
    key: str | None
    request_hash: bytes
    headers: Mapping[str, str]
    now: float


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call is about. `operation`: as the scripts know it. `script`: that of what pays. `about`: what is to be kept
    beside a payment that begins.
    """

    payment: Payment
    order: Document
    script: Script
    operation: str
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a call. `at`: when it shows, in seconds since 1970, later than now for a late commit."""

    reply: Reply
    amount: int
    at: float
    error_code: str = ""
    reference: str = ""


def note_operation(tx: Transaction, call: Call, subject: Subject, done: Done) -> None:
    """A row in the ledger for what was done."""
    reference = done.reference or subject.payment.reference
    row = (
        subject.payment.id,
        subject.operation,
        reference,
        done.amount,
        call.key,
        done.error_code,
        done.at,
    )
    tx.add_operation(Operation(*row))
