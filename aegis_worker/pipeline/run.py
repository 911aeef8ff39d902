"""Run due jobs: a window of gateway calls in flight, claims as slots come free, outcomes written in groups (design D9).

A slow call holds up neither a fast one's commit nor the next claim. No transaction is open while a gateway is called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from aegis_worker.chaos.points import crash_point
from aegis_worker.errors import DatabaseUnavailable, IllegalTransition, VersionConflict
from aegis_worker.gateways.base import Capabilities, GatewayConfig, PaymentGateway
from aegis_worker.persistence.asking import recheck_now
from aegis_worker.persistence.claims import claim, hand_back
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.mapping import Attempt, ClaimedJob
from aegis_worker.persistence.record import Change, JobChange, OpenAttempt, record
from aegis_worker.routing.router import decide

from .calls import call, clock_s
from .plan import next_step
from .settle import settle
from .steps import review
from .suspects import is_suspect, set_apart
from .work import Answer, Ask, Policy, Rest, Route, Send, SendAgain, Settled, Step, Work

log = structlog.get_logger(__name__)

# While calls are in flight, newly due jobs are looked for this often: their hint may have found every worker busy.
_LOOK_AGAIN_S = 0.05
# An answer that can't be written is worth waiting for PostgreSQL: dropping it means asking the gateway again.
_PERSIST_PAUSE_S = 0.5
# The other holder of the lock is about to finish or its lease is about to end.
_LOCKED_DELAY_S = 1.0
# A job that is to be worked on alone waits for a run that begins with it.
_COMPANY_DELAY_S = 1.0


class Locks(Protocol):
    """The lock in front; see `resilience.lock.PaymentLocks`."""

    def acquire(self, payment_ids: Sequence[str], *, ttl_ms: int) -> set[str]:
        """Which of the payments this worker may go on with."""

    def release(self, payment_ids: Sequence[str]) -> None:
        """Let go of the payments."""


@dataclass(frozen=True, slots=True)
class PipelineParts:
    """What the pipeline works with. `hint(queue)` tells other workers that more is due there."""

    database: Database
    gateways: Mapping[str, PaymentGateway]
    locks: Locks
    policy: Policy
    hint: Callable[[str], None]
    worker: str
    lease_s: float
    batch: int
    call_threads: int
    run_limit_s: float

    @property
    def configs(self) -> list[GatewayConfig]:
        """The gateways' configurations, in configured order."""
        return [gateway.config for gateway in self.gateways.values()]

    @property
    def capabilities(self) -> dict[str, Capabilities]:
        """What each gateway needs, by name."""
        return {name: gateway.capabilities for name, gateway in self.gateways.items()}


@dataclass(slots=True)
class RunReport:
    """What one run did, in jobs; `lost` were taken over by another worker meanwhile."""

    claimed: int = 0
    finished: int = 0
    waiting: int = 0
    review: int = 0
    lost: int = 0
    handed_back: int = 0


@dataclass(slots=True)
class _Window:
    """The calls in flight, and which work each belongs to."""

    pool: ThreadPoolExecutor
    calls: dict[Future[Answer | None], Work] = field(default_factory=dict)

    def holds_suspect(self, poison_cap: int) -> bool:
        """Whether the one call in flight is for a job that is to be worked on alone."""
        return any(is_suspect(work.job, poison_cap) for work in self.calls.values())

    def disown(self, payment_ids: set[str]) -> int:
        """Forget the calls for payments whose jobs were just claimed again; returns how many.

        A worker that was frozen past its lease may take over from itself. The older claim is a zombie's, and must not be
        written in one statement with the newer one, whose fence would let it pass.
        """
        zombies = [future for future, work in self.calls.items() if work.payment.id in payment_ids]
        for future in zombies:
            del self.calls[future]
        return len(zombies)


def run(parts: PipelineParts, queue: str) -> RunReport:
    """Work on due jobs of `queue` until none is due or `run_limit_s` has passed, then finish what is in flight."""
    report = RunReport()
    stop_claiming_at = time.monotonic() + parts.run_limit_s
    with ThreadPoolExecutor(parts.call_threads, thread_name_prefix="gateway") as pool:
        window = _Window(pool)
        while True:
            claimed = 0
            free = parts.call_threads - len(window.calls)
            if (
                free
                and time.monotonic() < stop_claiming_at
                and not window.holds_suspect(parts.policy.poison_cap)
            ):
                try:
                    claimed = _take_up(parts, window, queue, min(free, parts.batch), report)
                except DatabaseUnavailable as error:
                    if not window.calls:
                        raise
                    # New work can wait for PostgreSQL; the answers of the calls in flight are still to be written.
                    log.warning("claims no more", calls_in_flight=len(window.calls), error=str(error))
                    stop_claiming_at = 0.0
            if not window.calls and not claimed:
                return report
            _settle_answered(parts, window, report)


def _take_up(parts: PipelineParts, window: _Window, queue: str, limit: int, report: RunReport) -> int:
    """Claim, lock, plan, open and send up to `limit` jobs; returns how many were claimed."""
    jobs = parts.database.run(
        lambda connection: claim(connection, queue, limit=limit, lease_s=parts.lease_s, worker=parts.worker)
    )
    if not jobs:
        return 0
    if len(jobs) == limit:
        parts.hint(queue)
    report.claimed += len(jobs)
    report.lost += window.disown({job.payment.id for job in jobs})
    crash_point("job.claimed")
    now, later = set_apart(jobs, in_company=bool(window.calls), poison_cap=parts.policy.poison_cap)
    _give_up(parts, later, _COMPANY_DELAY_S if window.calls else 0.0, report)
    works = [_work(parts, job) for job in _locked(parts, now, report)]
    crash_point("job.locked")
    _carry_out(parts, window, [(work, None, next_step(work, parts.policy)) for work in works], report)
    return len(jobs)


def _locked(parts: PipelineParts, jobs: list[ClaimedJob], report: RunReport) -> list[ClaimedJob]:
    granted = parts.locks.acquire([job.payment.id for job in jobs], ttl_ms=int(parts.lease_s * 1000))
    refused = [job for job in jobs if job.payment.id not in granted]
    _give_up(parts, refused, _LOCKED_DELAY_S, report)
    return [job for job in jobs if job.payment.id in granted]


def _give_up(parts: PipelineParts, jobs: list[ClaimedJob], delay_s: float, report: RunReport) -> None:
    if jobs:
        parts.database.run(lambda connection: hand_back(connection, jobs, delay_s=delay_s))
        report.handed_back += len(jobs)


def _work(parts: PipelineParts, job: ClaimedJob) -> Work:
    route = Route(decide(job.payment, parts.configs), parts.capabilities)
    return Work(job, job.payment, list(job.attempts), route)


def _settle_answered(parts: PipelineParts, window: _Window, report: RunReport) -> None:
    """Wait for an answer (not long), then settle everything that has answered in one commit."""
    if not window.calls:
        return
    answered, _ = wait(window.calls, timeout=_LOOK_AGAIN_S, return_when=FIRST_COMPLETED)
    decided: list[tuple[Work, Settled | None, Step]] = []
    for done in answered:
        work, answer = window.calls.pop(done), done.result()
        if answer is None:
            log.warning("too late to send; left to the next worker", payment_id=work.payment.id)
            parts.locks.release([work.payment.id])
            report.lost += 1
            continue
        settled = settle(work, answer, parts.policy)
        decided.append((work, settled, settled.then))
    if decided:
        crash_point("outcome.settled")
    _carry_out(parts, window, decided, report)


def _carry_out(
    parts: PipelineParts,
    window: _Window,
    decided: Sequence[tuple[Work, Settled | None, Step]],
    report: RunReport,
) -> None:
    """Write what was decided in one commit, then send what the commit allows."""
    to_record: list[tuple[Work, Step, Change]] = []
    to_send: list[tuple[Work, Send | SendAgain | Ask]] = []
    for work, settled, step in decided:
        if settled is None and isinstance(step, Ask):
            to_send.append((work, step))  # asking changes nothing: there is nothing to write before
        else:
            to_record.append(_legal_change(work, settled, step))
    held, leased_from_s = _persist(parts, [change for _, _, change in to_record], report)
    _crash_points([change for _, _, change in to_record], "attempt.opened", "outcome.recorded")
    if any(change.events for _, _, change in to_record):
        parts.hint("outbox")
    done = []
    for work, step, change in to_record:
        if work.job.id not in held:
            continue
        work.payment = change.payment
        if isinstance(step, Rest):
            if step.job.follow_up is not None:
                parts.hint(step.job.follow_up.queue)
            done.append(work.payment.id)
            _count(report, step)
        else:
            if isinstance(step, Send):
                work.attempts.append(_sent(step.opened, work.job.lease_epoch))
            to_send.append((work, step))
    parts.locks.release(done)
    if done:
        crash_point("job.released")
    for work, step in to_send:
        work.position = step.position if isinstance(step, Ask) else -1
        gateway = parts.gateways[work.subject.gateway]
        send_until_s = leased_from_s + parts.lease_s - gateway.config.slowest_call_s
        window.calls[window.pool.submit(call, gateway, step, send_until_s)] = work


def _legal_change(work: Work, settled: Settled | None, step: Step) -> tuple[Work, Step, Change]:
    """The change, or, where the state machine forbids what the gateway told us, the job for a person to look at."""
    try:
        return work, step, _change(work, settled, step)
    except IllegalTransition as error:
        log.error("answer does not fit the payment's state", payment_id=work.payment.id, error=str(error))
        step = review(work, f"the gateway's answer does not fit the payment's state: {error}")
        return work, step, _change(work, replace(settled, facts=[]) if settled else None, step)


def _change(work: Work, settled: Settled | None, step: Step) -> Change:
    facts = list(settled.facts) if settled else []
    if isinstance(step, Rest | Send):
        facts += step.facts
    payment, events = work.payment.record(facts)
    going_on = JobChange("running", progress=settled is not None and not isinstance(step, SendAgain))
    return Change(
        job_id=work.job.id,
        lease_epoch=work.job.lease_epoch,
        payment=payment,
        version_before=work.payment.version,
        events=events,
        job=step.job if isinstance(step, Rest) else going_on,
        opened=step.opened if isinstance(step, Send) else None,
        answered=settled.answered if settled else None,
    )


def _persist(parts: PipelineParts, changes: list[Change], report: RunReport) -> tuple[set[str], float]:
    """Write the changes; those that lost their fence or met a moved payment are left out, the others stand.

    Returns the jobs that are still held, and since when at the latest: a reading of the clock from before the commit.
    """
    give_up_at = time.monotonic() + parts.lease_s / 2
    while changes:
        write = partial(_write, changes=changes, lease_s=parts.lease_s)
        leased_from_s = clock_s()
        try:
            held = parts.database.run(write)
        except VersionConflict as conflict:
            moved = set(conflict.payment_ids)
            log.warning("payments moved meanwhile", payment_ids=sorted(moved)[:10])
            report.lost += len(moved)
            changes = [change for change in changes if change.payment.id not in moved]
        except DatabaseUnavailable:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(_PERSIST_PAUSE_S)
        except DBAPIError:
            if len(changes) == 1:
                log.exception("change refused by the database", payment_id=changes[0].payment.id)
                report.lost += 1
                return set(), leased_from_s
            # A constraint or a guard refuses one of them; the others must not suffer for it.
            alone = [_persist(parts, [change], report) for change in changes]
            return {id for held, _ in alone for id in held}, min(since_s for _, since_s in alone)
        else:
            lost = len(changes) - len(held)
            if lost:
                log.warning("leases lost to other workers", jobs=lost)
                report.lost += lost
                _hint_at_late_charges(parts, [change for change in changes if change.job_id not in held])
            return held, leased_from_s
    return set(), clock_s()


def _hint_at_late_charges(parts: PipelineParts, lost: list[Change]) -> None:
    """A zombie writes nothing, but what it heard may be news to whoever gave its charge up: have that asked about."""
    charged = [
        (change.payment.id, change.answered.number)
        for change in lost
        if change.answered is not None and change.answered.status == "APPROVED"
    ]
    if not charged:
        return
    try:
        parts.database.run(lambda connection: recheck_now(connection, charged))
    except DatabaseUnavailable:
        # They are asked about later all the same; what was just written must still be gone on with.
        log.warning("late charges not hinted at", payments=len(charged))


def _write(connection: Connection, changes: list[Change], lease_s: float) -> set[str]:
    held = record(connection, changes, lease_s=lease_s)
    _crash_points(changes, "attempt.written", "outcome.written")
    return held


def _crash_points(changes: Sequence[Change], if_opened: str, if_answered: str) -> None:
    if any(change.opened for change in changes):
        crash_point(if_opened)
    if any(change.answered for change in changes):
        crash_point(if_answered)


def _sent(opened: OpenAttempt, lease_epoch: int) -> Attempt:
    return Attempt(
        operation=opened.operation,
        number=opened.number,
        gateway=opened.gateway,
        gateway_key=opened.gateway_key,
        request_hash=opened.request_hash,
        status="SENT",
        gateway_ref=None,
        outcome=None,
        lease_epoch=lease_epoch,
        sends=1,
        checks=0,
        not_found_count=0,
        age_s=0.0,
        not_found_age_s=None,
    )


def _count(report: RunReport, step: Rest) -> None:
    if step.job.status == "waiting":
        report.waiting += 1
    elif step.job.status == "review":
        report.review += 1
    else:
        report.finished += 1
