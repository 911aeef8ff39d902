"""What others do to the tables of one payment: have its gateway asked, cancel it, look at what was given up. Pure.

As `persistence.asking` and `persistence.ordering_rows` have them.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.jobs import must_answer
from aegis_worker.domain.outcomes import Operation

from .rows import AttemptRow, Rows, with_job
from .rows_orders import Wanted, accepted, checked

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


def sync_now(rows: Rows, now: float, because: str | None = None) -> Rows | None:
    """`asking.sync_now`; None where another job is open."""
    job, request = rows.job, None if because is None else must_answer(because)
    if job is None:
        return with_job(rows, "sync", "verify", now, request)
    if job.operation != "sync" or job.status == "running":
        return None
    status = job.status if job.status == "queued" else "waiting"
    job = replace(job, run_at=now, queue="verify", status=status, request=request or job.request)
    return replace(rows, job=job)


def cancel(rows: Rows, now: float) -> Rows:
    """A merchant's cancel of a payment that is under way: it is recorded, its job is due, and a void waits behind that."""
    job = rows.job
    open_job = None if job is None else (job.operation, job.status)
    void = Wanted(EntityKind.VOID)
    order = accepted(rows.payment, rows.entities, void, None, open_job, was_sent=bool(rows.attempts), now=now)
    if order is None or job is None:
        return rows
    run_at = now if job.status == "waiting" else job.run_at
    job = replace(job, run_at=run_at, request={**(job.request or {}), "cancel": True})
    outbox = rows.outbox + len(order.events)
    return replace(rows, payment=order.payment, outbox=outbox, job=job, entities=order.entities)


def recheck_now(rows: Rows, charges: Collection[tuple[int, str | None]], now: float) -> Rows:
    """`asking.recheck_now`: charges that were given up are asked about at once, and those that stand under another
    reference than this one.
    """
    return replace(rows, attempts=tuple(_told_of(row, charges, now) for row in rows.attempts))


def _told_of(row: AttemptRow, charges: Collection[tuple[int, str | None]], now: float) -> AttemptRow:
    attempt = row.attempt
    if attempt.operation is not Operation.PROCESS:
        return row
    refs = [ref for number, ref in charges if number == attempt.number]
    if refs and attempt.status in _GIVEN_UP:
        return replace(row, recheck_at=now, rechecks=0)
    others = [ref for ref in refs if None not in (ref, attempt.gateway_ref) and ref != attempt.gateway_ref]
    if not others or attempt.status is not AttemptStatus.APPROVED:
        return row
    outcome = replace(attempt.outcome, twin=f"its gateway has told of it as {others[-1]} too")
    return AttemptRow(replace(attempt, outcome=outcome), recheck_at=now)


def swept_now(rows: Rows) -> Rows:
    """`entity_rows.open_checks`: what is not settled is given its job, where no job is open."""
    if rows.job is not None:
        return rows
    entities, check = checked(rows.entities, 0.0)
    rows = replace(rows, entities=entities)
    if check is None:
        return rows
    return with_job(
        rows, check.operation, "verify", 0.0, None if check.order is None else check.order.request()
    )
