"""The tables of one payment as plain values, and how the statements on them change them. Pure.

Moments are in seconds, and `now` is the moment of the statement on the same clock. Explorers keep all moments relative to
now, which is 0 then; tests keep them on a clock of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.attempts import Attempt, AttemptStatus
from aegis_worker.domain.card_networks import CardDecline
from aegis_worker.domain.changes import AnswerAttempt, Change, JobChange, OpenAttempt
from aegis_worker.domain.confirms import KeptConfirm
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Payment

from .holds import hold_due
from .rows_disputes import Asking, DisputeRow
from .rows_orders import EntityRow, next_order
from .rows_orders import written as entities_written
from .rows_told import Told


class Refused(Exception):
    """A constraint of the tables refuses a change."""


class JobRow(Struct, frozen=True):
    """The payment's open job."""

    id: str
    operation: str
    queue: str
    run_at: float
    status: str = "queued"
    request: Mapping[str, Any] | None = None
    made_at: float = 0.0
    lease_epoch: int = 0
    lease_until: float = 0.0
    claim_count: int = 0
    begun_epoch: int = 0


class AttemptRow(Struct, frozen=True):
    """An attempt, whose own moments are the row's, and when its charge is asked about again after it was given up."""

    attempt: Attempt
    recheck_at: float | None = None
    rechecks: int = 0


class Rows(Struct, frozen=True):
    """What PostgreSQL holds of one payment.

    `job`: the open one. `made`: how many jobs there were. `outbox`: how many events were handed on. Events themselves are
    not kept: every write is held to what folding its events gives. `declines`: remembered of its card, by attempt, with
    their moment. `told`: what gateways told by themselves. `confirms`: what the payer brought back. `hold_due_at`: when
    something is due about what is held; None where nothing is. `asking`: who asks about a dispute just now.
    """

    payment: Payment
    job: JobRow | None
    made: int
    outbox: int
    attempts: tuple[AttemptRow, ...] = ()
    declines: tuple[tuple[CardDecline, float], ...] = ()
    entities: tuple[EntityRow, ...] = ()
    told: tuple[Told, ...] = ()
    confirms: tuple[KeptConfirm, ...] = ()
    hold_due_at: float | None = None
    disputes: tuple[DisputeRow, ...] = ()
    asking: tuple[Asking, ...] = ()


def with_job(
    rows: Rows, operation: str, queue: str, now: float, request: Mapping[str, Any] | None = None
) -> Rows:
    """The payment's next job. Raises Refused where one is open, as the unique index has it."""
    if rows.job is not None:
        raise Refused("a payment has one open job")
    made = rows.made + 1
    job = JobRow(f"job_{made}", operation, queue, now, request=request, made_at=now)
    return replace(rows, job=job, made=made)


def has_fence(rows: Rows, change: Change) -> bool:
    """Whether the job is still held under the epoch that the change was decided under."""
    job = rows.job
    return (
        job is not None
        and job.id == change.job_id
        and job.status == "running"
        and job.lease_epoch == change.lease_epoch
    )


def has_moved(rows: Rows, change: Change) -> bool:
    """Whether the change tells of a payment that is not at the version any more that it was read at."""
    return bool(change.events) and rows.payment.version != change.version_before


def written(rows: Rows, change: Change, *, lease_s: float, now: float) -> Rows:
    """What `record.sql` writes of a change whose fence holds and whose payment has not moved. Raises Refused."""
    if change.events:
        rows = replace(
            rows,
            payment=change.payment,
            outbox=rows.outbox + len(change.events),
            hold_due_at=hold_due(change.payment, rows.hold_due_at, now),
        )
    for answer in (change.answered, change.beside):
        if answer is not None:
            rows = _without_confirm(_with_answer(rows, answer, now), answer)
    if change.opened is not None:
        rows = _with_opened(rows, change.opened, change.lease_epoch, now)
    for found in change.found:
        shown = AttemptRow(found.shown(change.lease_epoch, now))
        rows = replace(rows, attempts=(*rows.attempts, shown))
    if rows.job is None:
        raise AssertionError("unreachable: the fence holds")
    job = _job_after(rows.job, change, lease_s, now)
    rows = replace(rows, job=job)
    if change.entities:
        rows = replace(rows, entities=entities_written(rows.entities, change.entities, rows.payment, now))
    follow_up = change.job.follow_up
    if follow_up is not None:
        return with_job(rows, follow_up.operation, follow_up.queue, now, follow_up.request)
    waits = next_order(rows.entities) if change.hands_on else None
    return rows if waits is None else with_job(rows, waits.operation, "payments", now, waits.request())


def _without_confirm(rows: Rows, answer: AnswerAttempt) -> Rows:
    """`confirm_rows.erase_confirms`: what was brought back is erased once the gateway has answered it."""
    if answer.operation is not Operation.CONFIRM or answer.status.is_open:
        return rows
    confirms = (replace(one, is_open=one.is_open and one.number != answer.number) for one in rows.confirms)
    return replace(rows, confirms=tuple(confirms))


def _job_after(job: JobRow, change: Change, lease_s: float, now: float) -> JobRow | None:
    after: JobChange = change.job
    if after.status in ("succeeded", "failed"):
        return None
    return replace(
        job,
        status=after.status,
        queue=after.queue,
        begun_epoch=change.lease_epoch,
        run_at=now + _run_in_s(job, change) if after.status == "waiting" else job.run_at,
        lease_until=now + lease_s if after.status == "running" else 0.0,
        claim_count=0 if after.progress else job.claim_count,
    )


def _run_in_s(job: JobRow, change: Change) -> float:
    """A job that was given a confirm meanwhile, or whose payment was cancelled, doesn't wait."""
    request = job.request or {}
    is_cancelled = "cancel" in request and not change.payment.cancelling
    return 0.0 if is_cancelled or request.get("confirm") != change.confirm_seen else change.job.run_in_s


def _with_answer(rows: Rows, answer: AnswerAttempt, now: float) -> Rows:
    attempts = tuple(
        _answered(row, answer, now)
        if (row.attempt.operation, row.attempt.number) == (answer.operation, answer.number)
        else row
        for row in rows.attempts
    )
    return replace(rows, attempts=attempts)


def _answered(row: AttemptRow, answer: AnswerAttempt, now: float) -> AttemptRow:
    old = row.attempt
    first_not_found_at_s = old.first_not_found_at_s
    if answer.sent_again:
        first_not_found_at_s = None
    elif answer.not_found and first_not_found_at_s is None:
        first_not_found_at_s = now
    attempt = replace(
        old,
        status=answer.status,
        gateway_ref=answer.gateway_ref or old.gateway_ref,
        outcome=answer.outcome,
        sends=old.sends + answer.sent_again,
        checks=old.checks + answer.asked,
        not_found_count=0 if answer.sent_again else old.not_found_count + answer.not_found,
        answered_at_s=None if answer.status is AttemptStatus.SENT else now,
        first_not_found_at_s=first_not_found_at_s,
    )
    recheck_at = row.recheck_at
    if answer.recheck_in_s is not None:
        recheck_at = now + answer.recheck_in_s
    elif answer.status is AttemptStatus.APPROVED and old.status is not AttemptStatus.APPROVED:
        recheck_at = None
    return replace(row, attempt=attempt, recheck_at=recheck_at)


def _with_opened(rows: Rows, opened: OpenAttempt, lease_epoch: int, now: float) -> Rows:
    if any(
        (row.attempt.operation, row.attempt.number) == (opened.operation, opened.number)
        for row in rows.attempts
    ):
        raise Refused("UNIQUE (payment, operation, number)")
    attempt = opened.sent(lease_epoch, now)
    return replace(rows, attempts=(*rows.attempts, AttemptRow(attempt)))
