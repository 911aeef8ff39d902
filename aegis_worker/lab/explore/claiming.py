"""Claims on the tables of one payment, as `persistence.claims` and `claim.sql` have them. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.jobs import ClaimedJob

from .rows import JobRow, Rows


def is_due(job: JobRow | None, now: float) -> bool:
    """Whether the job may be claimed (`is_due.sql`)."""
    if job is None or job.status == "review" or job.run_at > now:
        return False
    return job.status in ("queued", "waiting") or job.lease_until < now


def claim(rows: Rows, *, lease_s: float, now: float, since_1970_s: float = 0.0) -> tuple[Rows, ClaimedJob]:
    """The due job under a raised fence. Moments of what is returned are on the clock of `now`."""
    job = rows.job
    if job is None or not is_due(job, now):
        raise AssertionError("unreachable: nothing is due")
    left_behind = job.status == "running"
    counts = left_behind and job.begun_epoch == job.lease_epoch
    job = replace(
        job,
        status="running",
        lease_until=now + lease_s,
        lease_epoch=job.lease_epoch + 1,
        claim_count=job.claim_count + counts,
    )
    claimed = ClaimedJob(
        job.id,
        job.operation,
        job.lease_epoch,
        job.claim_count,
        rows.payment,
        tuple(row.attempt for row in rows.attempts),
        job.request,
        made_at_s=job.made_at,
        claimed_at_s=now,
        since_1970_s=since_1970_s,
        left_behind=left_behind,
        entities=tuple(row.entity for row in rows.entities) if job.operation == "sync" else (),
        confirm=_confirm_of(rows, job),
    )
    return replace(rows, job=job), claimed


def _confirm_of(rows: Rows, job: JobRow) -> Confirm | None:
    """What the payer brought back, as `confirm_rows.with_confirms` reads it."""
    number = (job.request or {}).get("confirm")
    kept = next((one for one in rows.confirms if one.number == number), None)
    if kept is None:
        return None
    if not kept.is_open:
        return Confirm(kept.number, kept.digest, unreadable="it is erased")
    return Confirm(kept.number, kept.digest, {})


def holds(rows: Rows, claimed: ClaimedJob) -> bool:
    """Whether the fence of this claim still holds."""
    job = rows.job
    return (
        job is not None
        and job.lease_epoch == claimed.lease_epoch
        and job.status == "running"
        and job.id == claimed.id
    )


def is_suspicious(job: ClaimedJob) -> bool:
    """Whether its claim is marked as begun at once, so that a death counts (`pipeline.hand.Hand.begin`)."""
    return job.left_behind or bool(job.claim_count)


def begin(rows: Rows, claimed: ClaimedJob) -> Rows:
    """Mark the claim as begun; a lost fence marks nothing."""
    job = rows.job
    if job is None or job.id != claimed.id or job.lease_epoch != claimed.lease_epoch:
        return rows
    return replace(rows, job=replace(job, begun_epoch=job.lease_epoch))


def excuse(rows: Rows, claimed: ClaimedJob) -> Rows:
    """Count no death for this claim."""
    job = rows.job
    if job is None or job.id != claimed.id:
        return rows
    if job.lease_epoch > claimed.lease_epoch:
        return replace(rows, job=replace(job, claim_count=max(job.claim_count - 1, 0)))
    return replace(rows, job=replace(job, begun_epoch=0))


def hand_back(rows: Rows, claimed: ClaimedJob, *, delay_s: float, now: float) -> Rows:
    """Give up the claim; the job is due again after `delay_s`."""
    rows = excuse(rows, claimed)
    job = rows.job
    if job is None or job.id != claimed.id or job.lease_epoch != claimed.lease_epoch:
        return rows
    if job.status != "running":
        return rows
    return replace(rows, job=replace(job, status="waiting", run_at=now + delay_s, lease_until=0.0))
