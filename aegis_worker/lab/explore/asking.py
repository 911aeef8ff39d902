"""What others do to the tables of one payment: have its gateway asked, cancel it, look at what was given up. Pure.

As `persistence.asking` and `persistence.ordering_rows` have them.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Fact
from aegis_worker.domain.transitions import EventType

from .rows import AttemptRow, Rows, with_job

_GIVEN_UP = (AttemptStatus.DECLINED, AttemptStatus.NOT_SENT)


def ask_now(rows: Rows, now: float) -> Rows:
    """`asking.ask_now`: make the open job due, or make a `sync`."""
    job = rows.job
    if job is None:
        return with_job(rows, "sync", "verify", now)
    if job.queue == "verify" or job.status == "review":
        job = replace(job, run_at=now)
    if job.status == "review":
        job = replace(job, queue="verify", status="waiting")
    return replace(rows, job=job)


def sync_now(rows: Rows, now: float) -> Rows | None:
    """`asking.sync_now`; None where another job is open."""
    job = rows.job
    if job is None:
        return with_job(rows, "sync", "verify", now)
    if job.operation != "sync" or job.status == "running":
        return None
    status = job.status if job.status == "queued" else "waiting"
    return replace(rows, job=replace(job, run_at=now, queue="verify", status=status))


def cancel(rows: Rows, now: float) -> Rows:
    """A merchant's cancel of a payment that is under way: it is recorded, and the job that has it begun is due."""
    payment, events = rows.payment.record([Fact(EventType.CANCEL_REQUESTED)])
    job = rows.job
    if job is not None:
        run_at = now if job.status == "waiting" else job.run_at
        job = replace(job, run_at=run_at, request={**(job.request or {}), "cancel": True})
    return replace(rows, payment=payment, outbox=rows.outbox + len(events), job=job)


def recheck_now(rows: Rows, numbers: Collection[int], now: float) -> Rows:
    """`asking.recheck_now`: charges that were given up are asked about at once."""

    def due(row: AttemptRow) -> AttemptRow:
        attempt = row.attempt
        is_given_up = attempt.operation is Operation.PROCESS and attempt.status in _GIVEN_UP
        return replace(row, recheck_at=now) if is_given_up and attempt.number in numbers else row

    return replace(rows, attempts=tuple(due(row) for row in rows.attempts))
