"""Run due jobs: a window of gateway calls in flight, claims as slots come free, outcomes written in groups (design D9).

A slow call holds up neither a fast one's commit nor the next claim. No transaction is open while a gateway is called.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import structlog

from aegis_worker.chaos.points import crash_point
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.persistence.claims import claim, hand_back
from aegis_worker.persistence.mapping import Attempt, ClaimedJob
from aegis_worker.persistence.record import Change, OpenAttempt

from .admission import Decided, admitted
from .cards import within_limits
from .lookout import Lookout
from .parts import PipelineParts, RunReport
from .plan import next_step
from .results import result_of
from .routes import routed
from .settle import settle
from .suspects import set_apart
from .window import Window, opened_window
from .work import Answer, Ask, Rest, Send, SendAgain, Step, Work
from .writing import Written, in_doubt_instead, legal_change, persist, reached

log = structlog.get_logger(__name__)

# After a claim that found less than fits in, jobs gather before the next: for a moment where few came in, and longer where
# more did, which saves more. While calls are in flight, newly due ones are looked for at least every 50 ms: their hint may
# have found every worker busy.
_GATHER_S, _FEW, _LONGER_GATHER_S, _LONGEST_LOOK_S = 0.004, 5, 0.02, 0.05
# The other holder of the lock is about to finish or its lease is about to end.
_LOCKED_DELAY_S = 1.0
# A job that is to be worked on alone waits for a run that begins with it.
_COMPANY_DELAY_S = 1.0


class _Pace:
    """When to claim again.

    A claim costs about as much for one job as for fifty, and so does writing what comes of them. Where more was due than
    fitted in, half of the window gets free first; calls that are slow hold that up for a moment at most. Where less was
    due, whatever comes in is looked for again and again, ever less often while nothing does.
    """

    def __init__(self) -> None:
        self._again_s = 0.0
        self._claimed_at = -math.inf
        self._more_due = True

    def is_due(self, window: Window) -> bool:
        """Whether this is the time."""
        return window.free > 0 and self.rest_s(window) <= 0.0

    def rest_s(self, window: Window) -> float:
        """How long to wait before the next claim."""
        if self._more_due and window.free >= len(window):
            return 0.0
        return self._claimed_at + self._again_s - time.monotonic()

    def claimed(self, jobs: int, limit: int) -> None:
        """What the last claim found of the `limit` jobs that it asked for."""
        self._claimed_at = time.monotonic()
        self._more_due = jobs == limit
        if self._more_due:
            self._again_s = _LONGEST_LOOK_S
        elif jobs:
            self._again_s = _GATHER_S if jobs <= _FEW else _LONGER_GATHER_S
        else:
            self._again_s = min(2 * self._again_s, _LONGEST_LOOK_S)


def run(parts: PipelineParts, queue: str) -> RunReport:
    """Work on due jobs of `queue` until none is due or `run_limit_s` has passed, then finish what is in flight."""
    report, pace, lookout = RunReport(), _Pace(), Lookout(parts, queue)
    stop_claiming_at = time.monotonic() + parts.run_limit_s
    with opened_window(parts.call_threads) as window:
        while True:
            if not len(window):
                time.sleep(max(0.0, pace.rest_s(window)))
            claimed = 0
            may_claim = time.monotonic() < stop_claiming_at and not window.holds_suspect(
                parts.policy.poison_cap
            )
            if may_claim and pace.is_due(window):
                limit = min(window.free, parts.batch)
                try:
                    claimed = _take_up(parts, window, lookout, limit, report)
                except DatabaseUnavailable as error:
                    if not len(window):
                        raise
                    # New work can wait for PostgreSQL; the answers of the calls in flight are still to be written.
                    log.warning("claims no more", calls_in_flight=len(window), error=str(error))
                    stop_claiming_at = 0.0
                pace.claimed(claimed, limit)
                lookout.found(claimed, calls_in_flight=len(window))
            elif not may_claim or not window.free:
                lookout.give_over()
            if (
                not len(window)
                and not claimed
                and not (may_claim and lookout.is_expecting)
                and lookout.ends()
            ):
                return report
            until_next_claim_s = pace.rest_s(window) if may_claim and window.free else _LONGEST_LOOK_S
            timeout_s = min(max(0.0, until_next_claim_s), _LONGEST_LOOK_S)
            _settle_answered(parts, window, lookout, report, timeout_s)


def _take_up(parts: PipelineParts, window: Window, lookout: Lookout, limit: int, report: RunReport) -> int:
    """Claim, lock, route, plan, open and send up to `limit` jobs; returns how many were claimed."""
    queue = lookout.queue
    table = parts.routing()  # before the claim: without it nothing could be done with the jobs
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
    now, later = set_apart(jobs, in_company=bool(len(window)), poison_cap=parts.policy.poison_cap)
    _give_up(parts, later, _COMPANY_DELAY_S if len(window) else 0.0, report)
    works = routed(parts, table, _locked(parts, now, report))
    crash_point("job.locked")
    decided: list[Decided] = [(work, None, next_step(work, parts.policy)) for work in works]
    _carry_out(parts, window, lookout, decided, report)
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


def _settle_answered(
    parts: PipelineParts, window: Window, lookout: Lookout, report: RunReport, timeout_s: float
) -> None:
    """Wait for an answer, not long, then settle everything that has answered in one commit."""
    if not len(window):
        return
    answered = list(window.answered(timeout_s))
    _report(parts, answered)
    decided: list[Decided] = []
    for work, answer in answered:
        if answer is None:
            log.warning("too late to send; left to the next worker", payment_id=work.payment.id)
            parts.locks.release([work.payment.id])
            report.lost += 1
            continue
        settled = settle(work, answer, parts.policy)
        decided.append((work, settled, settled.then))
    if decided:
        crash_point("outcome.settled")
    _carry_out(parts, window, lookout, decided, report)


def _report(parts: PipelineParts, answered: Sequence[tuple[Work, Answer | None]]) -> None:
    """Tell the gates what came of their permits."""
    permits = [(work, answer, work.permit) for work, answer in answered if work.permit is not None]
    results = [result_of(work, permit, answer) for work, answer, permit in permits if answer is not None]
    unused = [permit.wanted for _, answer, permit in permits if answer is None]
    if results:
        parts.gates.report(results)
        crash_point("gates.reported")
    if unused:
        parts.gates.forget(unused)


def _carry_out(
    parts: PipelineParts,
    window: Window,
    lookout: Lookout,
    decided: Sequence[Decided],
    report: RunReport,
) -> None:
    """Look at cards' limits, ask the gates, write what was decided in one commit, then send what the commit allows."""
    to_record: list[tuple[Work, Step, Change]] = []
    to_send: list[tuple[Work, Send | SendAgain | Ask]] = []
    permitted = admitted(parts.gates, within_limits(parts.database, decided), parts.policy)
    if any(work.permit for work, _, _ in permitted):
        crash_point("gates.admitted")
    for work, settled, step in permitted:
        if settled is None and isinstance(step, Ask):
            to_send.append((work, step))  # asking changes nothing: there is nothing to write before
        else:
            to_record.append(legal_change(work, settled, step))
    try:
        written = persist(parts, [change for _, _, change in to_record], report)
        if written.taken:
            to_record, written = _doubted(parts, to_record, written, report)
    except DatabaseUnavailable:
        _forget_unsent(parts, decided, [])
        raise
    reached([change for _, _, change in to_record], "attempt.opened", "outcome.recorded")
    if any(change.events for _, _, change in to_record):
        parts.hint("outbox")
    done = []
    for work, step, change in to_record:
        if work.job.id not in written.held:
            continue
        work.payment = change.payment
        if isinstance(step, Rest):
            if step.for_room:
                lookout.expects(step.job)
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
    _forget_unsent(parts, decided, to_send)
    for work, step in to_send:
        work.position = step.position if isinstance(step, Ask) else -1
        gateway = parts.gateways[work.subject.gateway]
        send_until_s = written.leased_from_s + parts.lease_s - gateway.config.slowest_call_s
        window.send(work, gateway, step, send_until_s)


def _doubted(
    parts: PipelineParts, to_record: list[tuple[Work, Step, Change]], written: Written, report: RunReport
) -> tuple[list[tuple[Work, Step, Change]], Written]:
    """Write down the doubt about those that were given another payment's reference."""
    instead = [
        in_doubt_instead(work, change, parts.policy) if work.job.id in written.taken else (work, step, change)
        for work, step, change in to_record
    ]
    doubts = [change for _, _, change in instead if change.job_id in written.taken]
    held = persist(parts, doubts, report).held
    return instead, replace(written, held=written.held | held)


def _forget_unsent(
    parts: PipelineParts,
    decided: Sequence[Decided],
    to_send: Sequence[tuple[Work, Send | SendAgain | Ask]],
) -> None:
    """Give back the permits of those whose fence was lost, whose answer did not fit, or that could not be written."""
    sent = {id(work) for work, _ in to_send}
    unused = [work.permit.wanted for work, _, _ in decided if work.permit and id(work) not in sent]
    if unused:
        parts.gates.forget(unused)


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
        candidates=tuple(opened.decision.get("candidates", ())),
    )


def _count(report: RunReport, step: Rest) -> None:
    if step.job.status == "waiting":
        report.waiting += 1
    elif step.job.status == "review":
        report.review += 1
    else:
        report.finished += 1
