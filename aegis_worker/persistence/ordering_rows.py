"""The rows that ordering a capture or refund reads and writes, in one short transaction.

The payment's open job is locked first, then the payment: in the order in which a worker writes them. So either the worker
that ends the job sees what waits behind it, or whoever orders sees that the job has ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, func, select, text

from aegis_worker.domain.entities import UNSETTLED, EntityKind, EntityStatus, Order
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.payment import Event, Payment
from aegis_worker.domain.trails import Trail
from aegis_worker.ids import JOB, new_id

from . import trails
from .mapping import payment_from_row
from .tables.entities import TABLE_OF
from .tables.payments import payments

_OPEN_JOB = """
SELECT id, operation, status, review_kind FROM jobs
WHERE payment_id = %(payment_id)s AND finished_at IS NULL FOR UPDATE
"""
_NEW_JOB = """
INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status, correlation_id, traceparent)
SELECT %(job_id)s, id, merchant_id, mode, %(operation)s, 'payments', 'queued', %(correlation_id)s, %(traceparent)s
FROM payments WHERE id = %(payment_id)s
ON CONFLICT DO NOTHING RETURNING id
"""
_MOVE = """
WITH moved AS (
    UPDATE payments SET version = %(version)s, capturing_minor = %(capturing_minor)s,
        refunding_minor = %(refunding_minor)s, closing = %(closing)s,
        cancelling = %(cancelling)s, updated_at = clock_timestamp()
    WHERE id = %(payment_id)s
    RETURNING id, merchant_id
), told AS (
    INSERT INTO payment_events (payment_id, seq, type, data)
    SELECT id, %(version)s, %(type)s, %(data)s::jsonb FROM moved
)
INSERT INTO outbox (payment_id, seq, merchant_id) SELECT id, %(version)s, merchant_id FROM moved
"""
# A worker that holds the job has lost its fence, and writes and sends nothing any more.
_END_JOB = """
UPDATE jobs SET status = 'failed', reason = 'cancelled', finished_at = clock_timestamp(), lease_until = NULL,
    review_kind = NULL, lease_epoch = lease_epoch + 1, updated_at = clock_timestamp()
WHERE id = %(job_id)s
"""
_CANCEL = """
WITH moved AS (
    UPDATE payments SET version = %(version)s, state = %(state)s, next_action = NULL, updated_at = clock_timestamp()
    WHERE id = %(payment_id)s
    RETURNING id, merchant_id
), told AS (
    INSERT INTO payment_events (payment_id, seq, type, data)
    SELECT id, %(version)s, %(type)s, %(data)s::jsonb FROM moved
)
INSERT INTO outbox (payment_id, seq, merchant_id) SELECT id, %(version)s, merchant_id FROM moved
"""
# A job that runs keeps its lease; whoever holds it makes it due (`cancelling` in record.sql).
_TELL_OF_CANCEL = """
UPDATE jobs
SET request = coalesce(request, '{}') || '{"cancel": true}',
    run_at = CASE WHEN status = 'waiting' THEN clock_timestamp() ELSE run_at END, updated_at = clock_timestamp()
WHERE id = %(job_id)s
"""
_GIVE_REQUEST = "UPDATE jobs SET request = %(request)s::jsonb WHERE id = %(job_id)s"


class OpenJob(NamedTuple):
    """The payment's open job, locked. `is_ours`: it was made by this transaction, and its request is yet to be given.
    `review_kind`: of one in review; None: doubt.
    """

    id: str
    operation: str
    status: str
    is_ours: bool
    review_kind: str | None = None


class LockedPayment(NamedTuple):
    """A payment that nobody else moves until the end of the transaction."""

    payment: Payment
    frozen: bool


class Standing(NamedTuple):
    """How many orders of a kind a payment has had, how many of all kinds wait for their job, and of which kinds some are
    not settled yet.
    """

    ordered: int
    waiting: int
    unsettled: frozenset[EntityKind]


def stored_order(
    connection: Connection, kind: EntityKind, owner: Owner, payment_id: str, key: str
) -> Mapping[str, Any] | None:
    """The row of what was ordered under this key."""
    table = TABLE_OF[kind]
    statement = select(table).where(
        table.c.payment_id == payment_id,
        table.c.key == key,
        table.c.merchant_id == owner.merchant_id,
        table.c.mode == owner.mode,
    )
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else cast("Mapping[str, Any]", row)


def open_job(connection: Connection, kind: EntityKind, payment_id: str, trail: Trail) -> OpenJob | None:
    """The payment's open job, or one for the order. None when jobs open and close faster than this can look."""
    names = {"payment_id": payment_id, "job_id": new_id(JOB), "operation": kind, **trails.parameters(trail)}
    for _ in range(3):
        row = connection.exec_driver_sql(_OPEN_JOB, names).one_or_none()
        if row is not None:
            return OpenJob(row.id, row.operation, row.status, is_ours=False, review_kind=row.review_kind)
        made = connection.exec_driver_sql(_NEW_JOB, names).one_or_none()
        if made is not None:
            return OpenJob(made.id, kind.value, "queued", is_ours=True)
    return None


def locked_payment(connection: Connection, owner: Owner, payment_id: str) -> LockedPayment | None:
    """The owner's payment."""
    statement = select(payments).where(
        payments.c.id == payment_id,
        payments.c.merchant_id == owner.merchant_id,
        payments.c.mode == owner.mode,
    )
    row = connection.execute(statement.with_for_update()).mappings().one_or_none()
    if row is None:
        return None
    return LockedPayment(payment_from_row(cast("Mapping[str, Any]", row)), row["frozen_at"] is not None)


def standing(connection: Connection, kind: EntityKind, payment_id: str) -> Standing:
    """What was ordered of the payment so far."""
    counted = {
        each: connection.execute(
            select(
                func.count(table.c.number),
                func.count().filter(table.c.status == "requested"),
                func.count().filter(table.c.status.in_(UNSETTLED)),
            ).where(table.c.payment_id == payment_id)
        ).one()
        for each, table in TABLE_OF.items()
    }
    waiting = sum(waiting for _, waiting, _ in counted.values())
    unsettled = frozenset(each for each, (_, _, open_ones) in counted.items() if open_ones)
    return Standing(counted[kind][0], waiting, unsettled)


def has_attempts(connection: Connection, payment_id: str) -> bool:
    """Whether anything of the payment was sent, or is about to be."""
    statement = "SELECT EXISTS (SELECT FROM attempts WHERE payment_id = %(payment_id)s)"
    return bool(connection.exec_driver_sql(statement, {"payment_id": payment_id}).scalar_one())


def write_order(
    connection: Connection,
    order: Order,
    payment: Payment,
    event: Event,
    key: str,
    request_hmac: bytes,
    trail: Trail,
) -> None:
    """Write the entity, its event, and the payment as it is after that."""
    write_entity(connection, order, payment, key, request_hmac, trail)
    _move(connection, payment, event)


def write_cancelling(connection: Connection, payment: Payment, event: Event, job: OpenJob) -> None:
    """Write that the payment is to be cancelled, and have its job look at that at once."""
    _move(connection, payment, event)
    connection.exec_driver_sql(_TELL_OF_CANCEL, {"job_id": job.id})


def _move(connection: Connection, payment: Payment, event: Event) -> None:
    connection.exec_driver_sql(
        _MOVE,
        {
            "payment_id": payment.id,
            "version": payment.version,
            "capturing_minor": payment.capturing_minor,
            "refunding_minor": payment.refunding_minor,
            "closing": payment.closing,
            "cancelling": payment.cancelling,
            "type": event.type,
            "data": json.dumps(dict(event.data)),
        },
    )


def write_cancelled(connection: Connection, payment: Payment, event: Event, job: OpenJob) -> None:
    """Write the payment's end, and take its job from whoever may hold it. Nothing of the payment was sent."""
    connection.exec_driver_sql(_END_JOB, {"job_id": job.id})
    connection.exec_driver_sql(
        _CANCEL,
        {
            "payment_id": payment.id,
            "version": payment.version,
            "state": payment.state,
            "type": event.type,
            "data": json.dumps(dict(event.data)),
        },
    )


def write_entity(
    connection: Connection,
    order: Order,
    payment: Payment,
    key: str,
    request_hmac: bytes,
    trail: Trail,
    *,
    status: EntityStatus = EntityStatus.REQUESTED,
) -> None:
    """Write the entity. One that is not settled is looked after by the sweep."""
    table = TABLE_OF[order.kind]
    row = {
        "id": order.id,
        "payment_id": payment.id,
        "merchant_id": payment.merchant_id,
        "mode": payment.mode,
        "number": order.number,
        "amount_minor": order.amount_minor,
        "currency": payment.amount.currency,
        "final": order.final,
        "forced": order.forced,
        "status": status,
        "key": key,
        "request_hmac": request_hmac,
        "check_at": text("clock_timestamp() + interval '60 s'") if status in UNSETTLED else None,
        **trails.parameters(trail),
    }
    connection.execute(table.insert().values({name: row[name] for name in row if name in table.c}))


def give_request(connection: Connection, job: OpenJob, order: Order) -> None:
    """Say in the job that was made for it what it is about."""
    names = {"job_id": job.id, "request": json.dumps(order.request())}
    connection.exec_driver_sql(_GIVE_REQUEST, names)
