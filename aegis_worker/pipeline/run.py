"""Run due jobs: a window of gateway calls in flight, claims as slots come free, outcomes written in groups (design D9).

A slow call holds up neither a fast one's commit nor the next claim. No transaction is open while a gateway is called.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import structlog

from aegis_worker.chaos.points import crash_point
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.persistence.claims import claim, hand_back
from aegis_worker.persistence.mapping import Attempt, ClaimedJob
from aegis_worker.persistence.record import Change, OpenAttempt
from aegis_worker.routing.router import decide

from .calls import call
from .parts import PipelineParts, RunReport
from .plan import next_step
from .settle import settle
from .suspects import is_suspect, set_apart
from .work import Answer, Ask, Rest, Route, Send, SendAgain, Settled, Step, Work
from .writing import legal_change, persist, reached

log = structlog.get_logger(__name__)

# While calls are in flight, newly due jobs are looked for this often: their hint may have found every worker busy.
_LOOK_AGAIN_S = 0.05
# The other holder of the lock is about to finish or its lease is about to end.
_LOCKED_DELAY_S = 1.0
# A job that is to be worked on alone waits for a run that begins with it.
_COMPANY_DELAY_S = 1.0


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
            to_record.append(legal_change(work, settled, step))
    held, leased_from_s = persist(parts, [change for _, _, change in to_record], report)
    reached([change for _, _, change in to_record], "attempt.opened", "outcome.recorded")
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
