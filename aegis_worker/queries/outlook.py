"""What happens to a payment next, when, and who does it. Pure. It looks at the job, and at what waits without a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aegis_worker.domain.attempts import Attempt, AttemptStatus
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.transitions import State
from aegis_worker.pipeline.operations import room_named

from .case_file import CaseFile
from .jobs import StoredJob
from .sentences import called, in_hop

Who = Literal["worker", "person", "payer", "merchant", "nobody"]


_ENDED = (AttemptStatus.APPROVED, AttemptStatus.DECLINED)


@dataclass(frozen=True, slots=True)
class Next:
    """The next thing to happen. `at` is None if its time isn't known, or if nothing more happens."""

    what: str
    who: Who
    at: datetime | None = None


def outlook(case: CaseFile) -> Next:
    """What happens next."""
    if case.frozen_at is not None:
        return Next("nothing, until a person has rebuilt it: its events do not lead to its row", "person")
    if case.job is None or not case.has_open_job:
        return _without_a_job(case)
    if case.job.status == "review":
        return _in_review(case, case.job.reason or "no reason was recorded")
    if case.job.status == "running":
        return _running(case)
    return _waiting(case, case.job)


def _in_review(case: CaseFile, reason: str) -> Next:
    decision = case.decision
    if decision is None:
        return Next(f"a person has to decide: {reason}", "person")
    decided = decision.resolution.replace("_", " ")
    if not decision.stands:
        refused = f"a person decided {decided!r}, which the gateway contradicted"
        return Next(f"{refused}; a person has to decide again: {reason}", "person")
    when = "it takes effect when the gateway confirms it, or then without its answer"
    return Next(f"a person decided {decided!r}: {when}", "worker", decision.takes_effect_at)


def _without_a_job(case: CaseFile) -> Next:
    payment = case.stored.payment
    if case.recheck_at is not None:
        what = "it has ended; the gateway is asked once more whether a charge that was given up came about after all"
        return Next(what, "worker", case.recheck_at)
    if payment.is_terminal:
        return Next("nothing: it has ended", "nobody")
    if payment.state is State.AUTHORIZED:
        until = payment.capture_before
        ends = f"; the gateway releases them at {until}" if until else ""
        return Next(
            f"nothing by itself: the funds are held until they are captured or released{ends}", "merchant"
        )
    return Next(
        "its job is missing: the next reconciliation gives it one, or run `aegis reconcile`", "worker"
    )


def _with_the_payer(case: CaseFile, latest: Attempt, overdue: str, job: StoredJob) -> Next:
    """The payer acts, or the door is closed behind them."""
    payment = case.stored.payment
    if latest.operation is Operation.CLOSE and latest.status not in _ENDED:
        what = f"{latest.gateway} has to say that what the payer could pay there is cancelled{overdue}"
        return Next(what, "worker", job.run_at)
    until = (payment.next_action or {}).get("expires_at")
    ends = f" until {until}; then what could be paid is cancelled there" if until else ""
    what = f"the payer has to act{ends}; {latest.gateway} is asked whether that happened{overdue}"
    return Next(what, "payer", job.run_at)


def _running(case: CaseFile) -> Next:
    by = f" ({case.claimed_by})" if case.claimed_by else ""
    if case.lease_until is not None and case.lease_until < case.now:
        return Next(
            f"its worker{by} is gone; the next one takes over and asks before it sends", "worker", case.now
        )
    return Next(
        f"a worker{by} is at it now; if it dies, another takes over when its lease ends",
        "worker",
        case.lease_until,
    )


def _waiting(case: CaseFile, job: StoredJob) -> Next:
    payment, latest = case.stored.payment, case.calls[-1] if case.calls else None
    overdue = "; it is due, and waits for a worker" if job.run_at <= case.now else ""
    if payment.state is State.REQUIRES_ACTION and latest is not None:
        return _with_the_payer(case, latest, overdue, job)
    what_for = room_named(job.operation).waits_for(job.operation)
    if what_for is not None:
        return Next(f"{what_for}{overdue}", "worker", job.run_at)
    scheduled_at = payment.terms.scheduled_at
    if latest is None and scheduled_at is not None and scheduled_at > case.now:
        return Next("it is charged at its time, and can be cancelled until then", "worker", scheduled_at)
    if latest is None and job.status == "waiting":
        what = (
            f"a worker chooses a gateway again; if none takes it for too long, it fails, uncharged{overdue}"
        )
        return Next(what, "worker", job.run_at)
    if latest is None:
        return Next(f"a worker chooses a gateway and sends it there{overdue}", "worker", job.run_at)
    if job.queue == "verify":
        about = f"{called(latest.operation, latest.number)}{in_hop(latest.number)}"
        what = f"{latest.gateway} is asked what became of {about}{overdue}"
        return Next(what, "worker", job.run_at)
    return Next(f"it is tried at a gateway again{overdue}", "worker", job.run_at)
