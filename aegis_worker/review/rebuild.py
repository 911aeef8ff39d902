"""Rebuild: set a payment's row to what its events say, and let the payment go on. The events are the truth (I4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from aegis_worker.domain.payment import Event, Payment
from aegis_worker.domain.replay import FOLDED_FIELDS, fold
from aegis_worker.domain.transitions import EventType
from aegis_worker.errors import IllegalTransition, ResolutionRefused
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.tables.payments import payment_events

from .case import Case

_DOCUMENTS = ("last_error", "next_action", "screening")

# The table's triggers let a row leave a terminal state, or change its version freely, only while it is being unfrozen.
_SET = f"""
UPDATE payments
SET {", ".join(f"{name} = %({name})s" for name in FOLDED_FIELDS if name not in _DOCUMENTS)},
    {", ".join(f"{name} = %({name})s::jsonb" for name in _DOCUMENTS)}, frozen_at = NULL, updated_at = clock_timestamp()
WHERE id = %(id)s
"""

# The snapshots may be wrong, because the history or the row that they were made from was in dispute.
_FORGET_SNAPSHOTS = "DELETE FROM payment_snapshots WHERE payment_id = %(id)s"

# Makes the job due, so that the pipeline looks at the rebuilt payment and ends the job or asks the gateway.
_GO_ON = """
UPDATE jobs SET status = 'waiting', queue = 'verify', run_at = clock_timestamp(), claim_count = 0,
    lease_epoch = lease_epoch + 1, begun_epoch = NULL, reason = 'rebuilt from its events', updated_at = clock_timestamp()
WHERE payment_id = %(id)s AND status = 'review'
"""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The payment as its events tell it, and the fields of the row that were wrong, as (in the row, in the history)."""

    payment: Payment
    changed: Mapping[str, tuple[Any, Any]]


def rebuild(connection: Connection, case: Case) -> Rebuilt:
    """Set the locked row to the fold of its events and unfreeze it.

    Raises ResolutionRefused, with nothing written, if the history itself is impossible: then somebody has changed the
    events, and no program can know what they were.
    """
    row = case.payment
    payment = _folded(row, _events(connection, row.id))
    pairs = {name: (getattr(row, name), getattr(payment, name)) for name in FOLDED_FIELDS}
    fields = {name: getattr(payment, name) for name in FOLDED_FIELDS}
    fields |= {name: _jsonb(fields[name]) for name in _DOCUMENTS}
    connection.exec_driver_sql(_SET, {**fields, "id": row.id})
    for statement in (_FORGET_SNAPSHOTS, _GO_ON):
        connection.exec_driver_sql(statement, {"id": row.id})
    # A rebuild says nothing about whether the gateway agrees with the events, so ask it.
    ask_now(connection, row.id)
    return Rebuilt(payment, {name: pair for name, pair in pairs.items() if pair[0] != pair[1]})


def _events(connection: Connection, payment_id: str) -> list[Event]:
    columns = payment_events.c
    rows = connection.execute(
        select(columns.seq, columns.type, columns.data)
        .where(columns.payment_id == payment_id)
        .order_by(columns.seq)
    )
    try:
        return [Event(payment_id, row.seq, EventType(row.type), row.data) for row in rows]
    except ValueError as error:
        raise ResolutionRefused(f"the history itself is impossible: {error}") from error


def _folded(row: Payment, events: list[Event]) -> Payment:
    try:
        payment = fold(row, events)
    except IllegalTransition as error:
        raise ResolutionRefused(f"the history itself is impossible: {error}") from error
    if not events:
        raise ResolutionRefused("the history itself is impossible: it has no events")
    amounts = (0, payment.refunded_minor, payment.captured_minor, payment.authorized_minor, row.amount.minor)
    if list(amounts) != sorted(amounts):
        raise ResolutionRefused(f"the history itself is impossible: its amounts are {amounts}")
    return payment


def _jsonb(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(dict(value))
