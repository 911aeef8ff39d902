"""Run due jobs: a window of gateway calls in flight, claims as slots come free, outcomes written in groups (design D9).

A slow call holds up neither a fast one's commit nor the next claim. No transaction is open while a gateway is called.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import structlog

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point
from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.changes import Change, OpenAttempt
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import Approved
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.persistence.claims import claim

from .admission import Decided, admitted
from .cards import within_limits
from .hand import Hand
from .lookout import Lookout
from .pace import LONGEST_LOOK_S, Pace
from .parts import PipelineParts, RunReport
from .plan import next_step
from .results import result_of
from .routes import routed
from .settle import settle
from .suspects import set_apart
from .window import Window
from .work import Answer, Ask, Rest, Send, SendAgain, Step, Work
from .writing import Written, hint_at_late_charges, in_doubt_instead, legal_change, persist, reached

log = structlog.get_logger(__name__)

# The other holder of the lock is about to finish or its lease is about to end.
_LOCKED_DELAY_S = 1.0
# A job that is to be worked on alone waits for a run that begins with it.
_COMPANY_DELAY_S = 1.0


def run(parts: PipelineParts, queue: str) -> RunReport:
    """Work on due jobs of `queue` until none is due and what was sent is back, for `run_limit_s` at most.

    Calls that take longer are left to `parts.tail`: whoever ends the process waits for it.
    """
    report, lookout = RunReport(), Lookout(parts, queue)
    window = parts.tail.take(lambda: Window(parts.call_threads, Hand(parts.database, parts.owed)))
    window.hand.pay()
    gives_back = False
    try:
        _work_on_due(parts, window, lookout, report)
        gives_back = True
    except DatabaseUnavailable:
        gives_back = True
        raise
    finally:
        # Of no other error is it known that the next worker would not meet it, too: what that leaves counts like a death.
        settle_some = partial(_settle_answered, parts, window, lookout, window.hand, report, LONGEST_LOOK_S)
        parts.tail.leave(window, settle_some, partial(_give_back, parts, window) if gives_back else None)
    return report


def _give_back(parts: PipelineParts, window: Window) -> None:
    """What is held and not in flight could not be written."""
    parts.locks.release(window.hand.empty(window.job_ids))


def _work_on_due(parts: PipelineParts, window: Window, lookout: Lookout, report: RunReport) -> None:
    pace = Pace()
    ends_at = time.monotonic() + parts.run_limit_s
    has_database = True
    while time.monotonic() < ends_at:
        if not len(window):
            time.sleep(max(0.0, pace.rest_s(window)))
        claimed = 0
        waits_for_suspect = window.holds_suspect(parts.policy.poison_cap)
        may_claim = has_database and not waits_for_suspect
        if may_claim and pace.is_due(window):
            limit = min(window.free, parts.batch)
            try:
                claimed = _take_up(parts, window, lookout, window.hand, limit, report)
            except DatabaseUnavailable as error:
                if not len(window):
                    raise
                # New work can wait for PostgreSQL; the answers of the calls in flight are still to be written.
                log.warning("claims no more", calls_in_flight=len(window), error=str(error))
                has_database = False
            pace.claimed(claimed, limit)
            lookout.found(claimed, calls_in_flight=len(window))
        elif not may_claim or not window.free:
            lookout.give_over()
        # What an earlier run left in flight is waited for only where nothing can be claimed before it is back.
        waits = window.own or not window.free or waits_for_suspect
        if not waits and not claimed and not (may_claim and lookout.is_expecting) and lookout.ends():
            return
        until_next_claim_s = pace.rest_s(window) if may_claim and window.free else LONGEST_LOOK_S
        timeout_s = min(max(0.0, until_next_claim_s), LONGEST_LOOK_S)
        _settle_answered(parts, window, lookout, window.hand, report, timeout_s)
    lookout.give_over()


def _take_up(
    parts: PipelineParts, window: Window, lookout: Lookout, hand: Hand, limit: int, report: RunReport
) -> int:
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
    hand.take(jobs)
    report.claimed += len(jobs)
    report.lost += window.disown({job.payment.id for job in jobs})
    crash_point("job.claimed")
    now, later = set_apart(jobs, in_company=bool(len(window)), poison_cap=parts.policy.poison_cap)
    _give_up(hand, later, _COMPANY_DELAY_S if len(window) else 0.0, report)
    locked = _locked(parts, hand, now, report)
    hand.begin(locked)
    works = routed(parts, table, locked)
    crash_point("job.locked")
    now_s = clock_s()
    late = [work for work in works if now_s > work.held_until_s]
    decided: list[Decided] = [
        (work, None, next_step(work, parts.policy, now_s)) for work in works if now_s <= work.held_until_s
    ]
    _drop(parts, hand, late, report)
    _carry_out(parts, window, lookout, hand, decided, report)
    return len(jobs)


def _locked(parts: PipelineParts, hand: Hand, jobs: list[ClaimedJob], report: RunReport) -> list[ClaimedJob]:
    granted = parts.locks.acquire([job.payment.id for job in jobs], ttl_ms=int(parts.lease_s * 1000))
    refused = [job for job in jobs if job.payment.id not in granted]
    _give_up(hand, refused, _LOCKED_DELAY_S, report)
    return [job for job in jobs if job.payment.id in granted]


def _give_up(hand: Hand, jobs: list[ClaimedJob], delay_s: float, report: RunReport) -> None:
    hand.hand_back(jobs, delay_s)
    report.handed_back += len(jobs)


def _drop(parts: PipelineParts, hand: Hand, works: Sequence[Work], report: RunReport) -> None:
    """Leave what may be another worker's by now: nothing is decided about it here, sent for it, or written of it."""
    if not works:
        return
    log.warning("too late to go on; left to the next worker", payment_ids=[w.payment.id for w in works[:10]])
    parts.locks.release([work.payment.id for work in works])
    hand.lost(work.job.id for work in works)
    report.lost += len(works)


def _settle_answered(
    parts: PipelineParts,
    window: Window,
    lookout: Lookout,
    hand: Hand,
    report: RunReport,
    timeout_s: float,
) -> None:
    """Wait for an answer, not long, then settle everything that has answered in one commit."""
    if not len(window):
        return
    answered = list(window.answered(timeout_s))
    _report(parts, answered)
    decided: list[Decided] = []
    late: list[Work] = []
    heard_of: list[tuple[str, int]] = []
    now_s = clock_s()
    for work, answer in answered:
        # Nobody else has heard the answer to a call, and the fence says whether it is too late; a look-up is made again.
        if answer is not None and (now_s <= work.held_until_s or not answer.looked_up):
            settled = settle(work, answer, parts.policy, now_s)
            decided.append((work, settled, settled.then))
            continue
        late.append(work)
        if answer is not None and isinstance(answer.outcome, Approved):
            heard_of.append((work.payment.id, work.subject.number))
    if decided:
        crash_point("outcome.settled")
    _drop(parts, hand, late, report)
    hint_at_late_charges(parts, heard_of)
    _carry_out(parts, window, lookout, hand, decided, report)


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
    hand: Hand,
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
    hand.lost(written.lost)
    hand.done(written.refused)  # and not given back: it would be refused again, and count again
    done = []
    for work, step, change in to_record:
        if work.job.id not in written.held:
            continue
        work.payment = change.payment
        work.held_until_s = written.leased_from_s + parts.lease_s
        if isinstance(step, Rest):
            if step.for_room:
                lookout.expects(step.job)
            if step.job.follow_up is not None:
                parts.hint(step.job.follow_up.queue)
            done.append(work)
            _count(report, step)
        else:
            if isinstance(step, Send):
                work.attempts.append(_sent(step.opened, work.job.lease_epoch, written.leased_from_s))
            to_send.append((work, step))
    hand.done(work.job.id for work in done)
    parts.locks.release([work.payment.id for work in done])
    if done:
        crash_point("job.released")
    _forget_unsent(parts, decided, to_send)
    for work, step in to_send:
        work.position = step.position if isinstance(step, Ask) else -1
        gateway = parts.gateways[work.subject.gateway]
        send_until_s = work.held_until_s - gateway.config.slowest_call_s
        if isinstance(step, SendAgain):
            send_until_s = min(send_until_s, step.until_s)
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
    again = persist(parts, doubts, report)
    return instead, replace(
        written,
        held=written.held | again.held,
        lost=written.lost | again.lost,
        refused=written.refused | again.refused,
    )


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


def _sent(opened: OpenAttempt, lease_epoch: int, sent_at_s: float) -> Attempt:
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
        sent_at_s=sent_at_s,
        first_not_found_at_s=None,
        candidates=tuple(opened.decision.get("candidates", ())),
    )


def _count(report: RunReport, step: Rest) -> None:
    if step.job.status == "waiting":
        report.waiting += 1
    elif step.job.status == "review":
        report.review += 1
    else:
        report.finished += 1
