"""What happened to one payment: its events, and the calls that were made to gateways for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Select, Table, select

from aegis_worker.clock import clock_s
from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.screening import for_merchants
from aegis_worker.domain.transitions import EventType
from aegis_worker.domain.wishes import HEARD, without_hooks_words
from aegis_worker.persistence.attempt_rows import ATTEMPT_COLUMNS, attempt_from_row
from aegis_worker.persistence.tables.payments import attempts, payment_events, payments

from .page import of_owner


class StoredEvent(Struct, frozen=True):
    """One fact and when PostgreSQL recorded it."""

    payment_id: str
    seq: int
    type: EventType
    data: Mapping[str, Any]
    at: datetime


class StoredAttempt(Struct, frozen=True):
    """An attempt with what only people and reports need: its routing decision and its times, in UTC."""

    attempt: Attempt
    payment_id: str
    decision: Mapping[str, Any] | None
    latency_ms: float | None
    sent_at: datetime
    answered_at: datetime | None
    last_checked_at: datetime | None


# The most events of a payment that an event's id has room for (`ids.parse_event_id`).
MOST_EVENTS = 999_999

_BESIDES = ("payment_id", "decision", "latency_ms", "sent_at", "answered_at", "last_checked_at")
_STORED_ATTEMPTS = select(*ATTEMPT_COLUMNS, *(attempts.c[name] for name in _BESIDES))


def list_events(
    connection: Connection,
    owner: Owner | None,
    payment_id: str,
    *,
    limit: int,
    after_seq: int = 0,
    upto_seq: int = MOST_EVENTS,
) -> Sequence[StoredEvent]:
    """The payment's events after `after_seq` and not after `upto_seq`, oldest first.

    Empty for a payment that isn't this owner's. An owner does not learn what hooks and rules found (`for_merchants`).
    """
    columns = payment_events.c
    statement = (
        _of_payment(select(payment_events), payment_events, owner, payment_id)
        .where(columns.seq > after_seq, columns.seq <= upto_seq)
        .order_by(columns.seq)
        .limit(limit)
    )
    told = for_merchants if owner is not None else dict
    return [
        StoredEvent(row["payment_id"], row["seq"], EventType(row["type"]), told(row["data"]), row["at"])
        for row in connection.execute(statement).mappings()
    ]


def list_attempts(
    connection: Connection, owner: Owner | None, payment_id: str, *, limit: int
) -> Sequence[StoredAttempt]:
    """The payment's attempts in the order they were first sent. Empty for a payment that isn't this owner's.

    An owner does not learn what a hook asked for in its own words.
    """
    of_payment = _of_payment(_STORED_ATTEMPTS, attempts, owner, payment_id)
    found = _read_attempts(connection, of_payment.limit(limit))
    return found if owner is None else [_told(stored) for stored in found]


def _told(stored: StoredAttempt) -> StoredAttempt:
    if stored.decision is None:
        return stored
    decision = {name: value for name, value in stored.decision.items() if name != HEARD}
    if isinstance(because := decision.get("because"), str):
        decision["because"] = without_hooks_words(because)
    return replace(stored, decision=decision)


def attempts_of(connection: Connection, payment_ids: Sequence[str]) -> Mapping[str, Sequence[StoredAttempt]]:
    """All attempts of each of the payments that has any, in the order they were first sent; of any merchant."""
    by_payment: dict[str, list[StoredAttempt]] = {}
    for stored in _read_attempts(connection, _STORED_ATTEMPTS.where(attempts.c.payment_id.in_(payment_ids))):
        by_payment.setdefault(stored.payment_id, []).append(stored)
    return by_payment


def _read_attempts(connection: Connection, statement: Select[Any]) -> list[StoredAttempt]:
    columns = attempts.c
    asked_at_s = clock_s()
    rows = (
        connection.execute(statement.order_by(columns.sent_at, columns.operation, columns.number))
        .mappings()
        .all()
    )
    told_at_s = clock_s()
    return [
        StoredAttempt(
            attempt_from_row(row, asked_at_s, told_at_s),  # type: ignore[arg-type]
            *(row[name] for name in _BESIDES),
        )
        for row in rows
    ]


def _of_payment(statement: Select[Any], child: Table, owner: Owner | None, payment_id: str) -> Select[Any]:
    # These rows have no merchant of their own, so join the payment, which says whose they are.
    joined = statement.join(payments, payments.c.id == child.c.payment_id)
    return of_owner(joined.where(child.c.payment_id == payment_id), payments, owner)
