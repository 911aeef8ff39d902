"""One POST, what it is about, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..payments import Payment
from ..replies import Reply
from ..rows import Document, Operation
from ..scripts import Script
from ..transaction import Transaction
from .shapes import Order

KEY = "paypal-request-id"


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

    @property
    def has_id(self) -> bool:
        """Whether a PayPal-Request-Id came with it, known or not."""
        return KEY in self.headers


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call is about. `operation`: as the scripts know it. `script`: that of what pays."""

    order: Order
    script: Script
    operation: str
    part: Document | None = None
    is_new: bool = False

    @property
    def payment(self) -> Payment:
        """The order in the ledger."""
        return self.order.payment


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a call: `kind` and `id` of what it has made, and that as it shows; or why it was `declined`.

    `at`: when it shows, in seconds since 1970, later than now for a late commit.
    """

    kind: str = ""
    id: str = ""
    shown: dict[str, Any] | None = None
    declined: Reply | None = None
    at: float = 0.0
    error_code: str = ""
    amount: int = 0
    reference: str = ""


def put_about(tx: Transaction, order: Order) -> None:
    """Keep what is known beside an order."""
    tx.put_document(Document(order.payment.id, "order", order.payment.id, order.about))


def note_operation(tx: Transaction, call: Call, subject: Subject, done: Done) -> None:
    """A row in the ledger for what was done."""
    row = (
        subject.payment.id,
        subject.operation,
        done.reference,
        done.amount,
        call.key,
        done.error_code,
        done.at,
    )
    tx.add_operation(Operation(*row))
