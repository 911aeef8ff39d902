"""Rows of captures, voids and refunds: what `persistence.entity_rows`, `persistence.ordering_rows` and `intake.ordering` do
to them, as functions of plain data. `now`: the moment of the statement, in seconds, on the clock of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.entities import (
    UNSETTLED,
    Entity,
    EntityChange,
    EntityKind,
    EntityStatus,
    Order,
    requested,
)
from aegis_worker.domain.ordering import Able, capture_to_order, refund_to_order
from aegis_worker.domain.payment import Event, Fact, Payment
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.errors import AegisError

# An order that is not settled is looked after by the sweep, the first time so long after it was accepted.
FIRST_CHECK_S = 60.0
_GATEWAYS_AGAIN_S = 3600.0


class EntityRow(Struct, frozen=True):
    """A row of `captures`, `voids` or `refunds`. `check_at`: when the sweep looks after it; None where it need not.
    `by_us`: a void that no merchant ordered, because the hold was about to end.
    """

    entity: Entity
    check_at: float | None = None
    by_us: bool = False


class Wanted(NamedTuple):
    """What a merchant orders. `minor` None: all that is left; of a void nothing is said."""

    kind: EntityKind
    minor: int | None = None
    final: bool | None = None
    forced: bool = False


class Accepted(NamedTuple):
    """What accepting an order writes. `job`: of the order, where it does not wait behind another job. `ends_job`: the open
    job ends, because nothing was ever sent; `wakes_job`: it is due at once, and told of the cancel.
    """

    payment: Payment
    events: tuple[Event, ...]
    entities: tuple[EntityRow, ...]
    job: Order | None = None
    ends_job: bool = False
    wakes_job: bool = False


class Check(NamedTuple):
    """The job that the sweep makes for what is not settled: the order's own, or a sync where the gateway ordered it."""

    operation: str
    order: Order | None


def shifted(rows: tuple[EntityRow, ...], by_s: float) -> tuple[EntityRow, ...]:
    """The rows on a clock that is `by_s` ahead."""
    if all(row.check_at is None for row in rows):
        return rows
    return tuple(row if row.check_at is None else replace(row, check_at=row.check_at - by_s) for row in rows)


def accepted(
    payment: Payment,
    rows: tuple[EntityRow, ...],
    wanted: Wanted,
    able: Able | None,
    open_job: tuple[str, str] | None,
    *,
    was_sent: bool,
    now: float,
) -> Accepted | None:
    """The order as it is accepted (`intake.ordering`); None where it is refused. `open_job`: its operation and status.
    `was_sent`: the payment has attempts.
    """
    if open_job is not None and open_job[1] == "review":
        return None
    if wanted.kind is EntityKind.VOID:
        return _cancelled(payment, rows, open_job, was_sent=was_sent, now=now)
    if able is None:
        return None
    try:
        if wanted.kind is EntityKind.CAPTURE:
            minor, final = capture_to_order(payment, able, wanted.minor, wanted.final)
        else:
            minor, final = refund_to_order(payment, able, wanted.minor, forced=wanted.forced), False
    except AegisError:
        return None
    is_cancelled = any(
        row.entity.order.kind is EntityKind.VOID and row.entity.status in UNSETTLED for row in rows
    )
    if wanted.kind is EntityKind.CAPTURE and is_cancelled:
        return None
    order = new_order(payment, rows, wanted.kind, minor, final=final, forced=wanted.forced)
    after, events = payment.record([requested(order)])
    row = EntityRow(Entity(order, payment.id, payment.amount.currency), now + FIRST_CHECK_S)
    return Accepted(after, tuple(events), (*rows, row), order if open_job is None else None)


def _cancelled(
    payment: Payment,
    rows: tuple[EntityRow, ...],
    open_job: tuple[str, str] | None,
    *,
    was_sent: bool,
    now: float,
) -> Accepted | None:
    unsettled = any(row.entity.status in UNSETTLED for row in rows)
    is_under_way = open_job is not None and open_job[0] in [*EntityKind]
    if payment.is_terminal or is_under_way or unsettled:
        return None
    order = new_order(payment, rows, EntityKind.VOID, payment.amount.minor)
    entity = Entity(order, payment.id, payment.amount.currency)
    if payment.state is State.INITIATED and not was_sent:
        after, events = payment.record([Fact(EventType.CANCELLED, {"reason": "cancelled by the merchant"})])
        done = EntityRow(replace(entity, status=EntityStatus.SUCCEEDED))
        return Accepted(after, tuple(events), (*rows, done), ends_job=True)
    kept = (*rows, EntityRow(entity, now + FIRST_CHECK_S))
    if open_job is None:
        # Jobs change hands where nothing is held yet; the merchant asks again.
        return Accepted(payment, (), kept, order) if payment.state is State.AUTHORIZED else None
    if payment.state is State.AUTHORIZED:
        return Accepted(payment, (), kept)
    after, events = payment.record([Fact(EventType.CANCEL_REQUESTED)])
    return Accepted(after, tuple(events), kept, wakes_job=True)


def new_order(
    payment: Payment,
    rows: tuple[EntityRow, ...],
    kind: EntityKind,
    minor: int,
    *,
    final: bool = False,
    forced: bool = False,
) -> Order:
    number = sum(row.entity.order.kind is kind and row.entity.order.number > 0 for row in rows) + 1
    return Order(kind, f"{kind.value}_{number}", number, minor, final, forced)


def written(
    rows: tuple[EntityRow, ...], changes: Sequence[EntityChange], payment: Payment, now: float
) -> tuple[EntityRow, ...]:
    """The rows after a step of a job (`entity_rows.write_entities`)."""
    for change in changes:
        if all(row.entity.order.id != change.order.id for row in rows):
            if change.order.origin != "gateway":
                raise AssertionError(f"nobody ordered {change.order.id}")
            rows = (*rows, EntityRow(Entity(change.order, payment.id, payment.amount.currency)))
        rows = tuple(
            _changed(row, change, now) if row.entity.order.id == change.order.id else row for row in rows
        )
    return rows


def _changed(row: EntityRow, change: EntityChange, now: float) -> EntityRow:
    before = row.entity
    entity = replace(
        before,
        status=change.status,
        gateway=change.gateway or before.gateway,
        gateway_ref=change.gateway_ref or before.gateway_ref,
        error=change.error,
    )
    return replace(
        row, entity=entity, check_at=None if change.check_in_s is None else now + change.check_in_s
    )


def next_order(rows: tuple[EntityRow, ...]) -> Order | None:
    """What waits longest for its job (`entity_rows.open_next`)."""
    waiting = (row.entity.order for row in rows if row.entity.status is EntityStatus.REQUESTED)
    return next(waiting, None)


def checked(rows: tuple[EntityRow, ...], now: float) -> tuple[tuple[EntityRow, ...], Check | None]:
    """What the sweep makes a job for, of a payment without an open one (`entity_rows.open_checks`)."""
    due = [row for row in rows if row.check_at is not None and row.check_at <= now]
    if not due:
        return rows, None
    first = min(due, key=lambda row: (row.check_at or 0.0, rows.index(row)))
    order = first.entity.order
    if order.origin == "merchant":
        return rows, Check(order.kind.value, order)
    put_off = tuple(
        replace(row, check_at=now + _GATEWAYS_AGAIN_S)
        if row.entity.order.origin == "gateway" and row.check_at is not None
        else row
        for row in rows
    )
    return put_off, Check("sync", None)


def check_now(
    rows: tuple[EntityRow, ...], number: int, kind: EntityKind, now: float
) -> tuple[EntityRow, ...]:
    """A gateway's event about an order that it has taken in: the sweep looks after it at once."""
    open_at_the_gateway = (EntityStatus.WAITING, EntityStatus.PENDING)
    return tuple(
        replace(row, check_at=now)
        if (row.entity.order.kind, row.entity.order.number) == (kind, number)
        and row.entity.status in open_at_the_gateway
        else row
        for row in rows
    )


def settled_now(rows: tuple[EntityRow, ...], now: float) -> tuple[EntityRow, ...]:
    """A gateway's event that the charge is settled (`entity_rows.charge_is_settled`): what waits for that goes on."""
    return tuple(
        replace(row, check_at=now)
        if row.entity.order.kind is EntityKind.REFUND and row.entity.status is EntityStatus.WAITING
        else row
        for row in rows
    )
