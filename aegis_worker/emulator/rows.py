"""Rows of the gateway's books, besides payments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What an idempotency key answers. Until `ready_at` the first answer is still under way."""

    request_hash: bytes
    status: int
    body: bytes
    ready_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the operations table. It shows from `at` on; `error_code` is empty unless it was declined or has failed.

    `status`: pending, succeeded or failed. At `due_at` it fails with `due_error`, or, without one, succeeds.
    """

    payment_id: str
    operation: str
    reference: str
    amount: int
    idempotency_key: str | None
    error_code: str
    at: float
    status: str = "succeeded"
    due_at: float | None = None
    due_error: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A row of the documents table: something of which a wire format shows more than the payments table holds."""

    id: str
    kind: str
    payment_id: str | None
    body: dict[str, Any]
    due_at: float | None = None


@dataclass(frozen=True, slots=True)
class QueuedWebhook:
    """A row of the webhooks table. `tries`: so far. `script`: how it is sent, empty: as usual."""

    seq: int
    event_id: str
    body: bytes
    tries: int
    script: str
