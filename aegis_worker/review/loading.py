"""Read the case of a payment that may wait for a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, select

from aegis_worker.clock import clock_s
from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.entities import order_in
from aegis_worker.persistence import decisions
from aegis_worker.persistence.attempt_rows import ATTEMPT_COLUMNS, attempt_from_row
from aegis_worker.persistence.mapping import payment_from_row
from aegis_worker.persistence.tables.payments import attempts, gateway_references, jobs, payments

from .case import Case, OpenJob

# A payment takes at most AEGIS_MAX_ATTEMPTS hops of a few calls each.
_MOST_CALLS = 200


def load(connection: Connection, payment_id: str, *, lock: bool = False) -> Case | None:
    """The case of a payment of any merchant, or None. With `lock` its rows are locked until the transaction ends."""
    if lock:
        # Lock the job before the payment, as `record` does. In the other order the two could deadlock.
        connection.execute(_open_job(payment_id).with_for_update())
    statement = select(payments).where(payments.c.id == payment_id)
    row = connection.execute(statement.with_for_update() if lock else statement).mappings().one_or_none()
    if row is None:
        return None
    job = connection.execute(_open_job(payment_id)).one_or_none()
    return Case(
        payment=payment_from_row({str(name): value for name, value in row.items()}),
        frozen_at=row["frozen_at"],
        job=None if job is None else _open(job),
        calls=_calls(connection, payment_id),
        decision=decisions.of_payment(connection, payment_id),
        accepted_at=row["created_at"],
        read_at=connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one(),
    )


def _open(job: Any) -> OpenJob:
    return OpenJob(
        job.id,
        job.operation,
        job.status,
        job.lease_epoch,
        job.reason,
        order_in(job.request),
        job.review_kind or "doubt",
    )


def _calls(connection: Connection, payment_id: str) -> list[Attempt]:
    columns = attempts.c
    statement = (
        select(*ATTEMPT_COLUMNS)
        .where(columns.payment_id == payment_id)
        .order_by(columns.sent_at, columns.number)
        .limit(_MOST_CALLS)
    )
    asked_at_s = clock_s()
    rows = connection.execute(statement).mappings().all()
    told_at_s = clock_s()
    return [attempt_from_row(row, asked_at_s, told_at_s) for row in rows]  # type: ignore[arg-type]


def standing_on(connection: Connection, gateway: str, gateway_ref: str, *, besides: str) -> str | None:
    """The id of a payment other than `besides` that stands on this charge, or None."""
    columns = gateway_references.c
    return connection.execute(
        select(columns.payment_id).where(
            columns.gateway == gateway, columns.gateway_ref == gateway_ref, columns.payment_id != besides
        )
    ).scalar_one_or_none()


def _open_job(payment_id: str) -> Select[Any]:
    columns = jobs.c
    return select(
        columns.id,
        columns.operation,
        columns.status,
        columns.lease_epoch,
        columns.reason,
        columns.request,
        columns.review_kind,
    ).where(columns.payment_id == payment_id, columns.status.in_(("queued", "running", "waiting", "review")))
