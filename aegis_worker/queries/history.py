"""What happened to one payment: its events, and the calls that were made to gateways for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from aegis_worker.domain.transitions import EventType
from aegis_worker.persistence.tables import attempts, payment_events, payments

from .page import of_merchant


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One fact and when PostgreSQL recorded it."""

    payment_id: str
    seq: int
    type: EventType
    data: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredAttempt:
    """One call to one gateway. `sends` and `checks` count how often it was sent and asked about; times in UTC."""

    payment_id: str
    operation: str
    number: int
    gateway: str
    status: str
    gateway_ref: str | None
    outcome: Mapping[str, Any] | None
    decision: Mapping[str, Any] | None
    sends: int
    checks: int
    not_found_count: int
    latency_ms: float | None
    sent_at: datetime
    answered_at: datetime | None
    last_checked_at: datetime | None


# An event's id has room for so many (`ids.parse_event_id`).
MOST_EVENTS = 999_999

_ATTEMPT = [attempts.c[field.name] for field in fields(StoredAttempt)]


def list_events(
    connection: Connection,
    merchant_id: str | None,
    payment_id: str,
    *,
    limit: int,
    after_seq: int = 0,
    upto_seq: int = MOST_EVENTS,
) -> Sequence[StoredEvent]:
    """The payment's events after `after_seq` and not after `upto_seq`, oldest first.

    Empty for a payment that isn't this merchant's.
    """
    columns = payment_events.c
    statement = (
        _of_payment(select(payment_events), payment_events, merchant_id, payment_id)
        .where(columns.seq > after_seq, columns.seq <= upto_seq)
        .order_by(columns.seq)
        .limit(limit)
    )
    return [
        StoredEvent(row["payment_id"], row["seq"], EventType(row["type"]), row["data"], row["at"])
        for row in connection.execute(statement).mappings()
    ]


def list_attempts(
    connection: Connection, merchant_id: str | None, payment_id: str, *, limit: int
) -> Sequence[StoredAttempt]:
    """The payment's attempts in the order they were first sent. Empty for a payment that isn't this merchant's."""
    columns = attempts.c
    statement = (
        _of_payment(select(*_ATTEMPT), attempts, merchant_id, payment_id)
        .order_by(columns.sent_at, columns.operation, columns.number)
        .limit(limit)
    )
    return [StoredAttempt(**row) for row in connection.execute(statement).mappings()]


def _of_payment(
    statement: Select[Any], child: Table, merchant_id: str | None, payment_id: str
) -> Select[Any]:
    # The children carry no merchant of their own: the payment says whose they are.
    joined = statement.join(payments, payments.c.id == child.c.payment_id)
    return of_merchant(joined.where(child.c.payment_id == payment_id), payments, merchant_id)
