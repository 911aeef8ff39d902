"""Run due jobs: a window of gateway calls in flight, claims as slots come free, outcomes written in groups (design D9).

A slow call holds up neither a fast one's commit nor the next claim. No transaction is open while a gateway is called.
"""

from __future__ import annotations

import time
from functools import partial

import structlog

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.errors import DatabaseUnavailable

from .advance import advance
from .effects import Effects
from .hand import Hand
from .hearing import taken_up
from .held import Claimed, Held
from .lookout import Lookout
from .pace import LONGEST_LOOK_S, Pace
from .parts import PipelineParts, RunReport
from .routes import routed
from .suspects import set_apart
from .window import Window

log = structlog.get_logger(__name__)

# Try again in a second: whoever has the lock is about to finish, or its lease to end.
_LOCKED_DELAY_S = 1.0
# A suspect has to be the first job of a run, so hand it back for a second.
_COMPANY_DELAY_S = 1.0


def run(parts: PipelineParts, queue: str) -> RunReport:
    """Work on due jobs of `queue` until none is due and what was sent is back, for `run_limit_s` at most.

    Calls that take longer are left to `parts.tail`: whoever ends the process waits for it.
    """
    report, lookout = RunReport(), Lookout(parts, queue)
    window = parts.tail.take(lambda: Window(parts.calls_in_flight, Hand(parts.jobs, parts.owed)))
    window.hand.pay()
    gives_back = False
    try:
        _work_on_due(parts, window, lookout, report)
        parts.exchanges.write()
        gives_back = True
    except DatabaseUnavailable:
        gives_back = True
        raise
    finally:
        # Give jobs back only after an outage. Another error may meet the next worker, too, so it has to count as a death.
        settle_some = partial(_settle_left, parts, window, lookout, report)
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
        # Wait for an earlier run's calls only while they keep this run from claiming.
        waits = window.own or not window.free or waits_for_suspect
        if not waits and not claimed and not (may_claim and lookout.is_expecting) and lookout.ends():
            return
        until_next_claim_s = pace.rest_s(window) if may_claim and window.free else LONGEST_LOOK_S
        timeout_s = min(max(0.0, until_next_claim_s), LONGEST_LOOK_S)
        _settle_answered(parts, window, lookout, report, timeout_s)
    lookout.give_over()


def _take_up(
    parts: PipelineParts, window: Window, lookout: Lookout, hand: Hand, limit: int, report: RunReport
) -> int:
    """Claim, lock, route, plan, open and send up to `limit` jobs, or have hooks asked about them; returns how many were
    claimed.
    """
    queue = lookout.queue
    # Before the claim: without these nothing could be done with the jobs.
    table, asks = parts.routing(), parts.stage.asks()
    jobs = parts.jobs.claim(queue, limit=limit, lease_s=parts.lease_s, worker=parts.worker)
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
    works = routed(parts, table, locked, asks)
    crash_point("job.locked")
    now_s = clock_s()
    advanced = [advance(Held(work), Claimed(now_s, parts.rng.random()), parts.policy) for work in works]
    Effects(parts, window, lookout, report).carry_out(advanced)
    return len(jobs)


def _locked(parts: PipelineParts, hand: Hand, jobs: list[ClaimedJob], report: RunReport) -> list[ClaimedJob]:
    granted = parts.locks.acquire([job.payment.id for job in jobs], ttl_ms=int(parts.lease_s * 1000))
    refused = [job for job in jobs if job.payment.id not in granted]
    _give_up(hand, refused, _LOCKED_DELAY_S, report)
    return [job for job in jobs if job.payment.id in granted]


def _give_up(hand: Hand, jobs: list[ClaimedJob], delay_s: float, report: RunReport) -> None:
    hand.hand_back(jobs, delay_s)
    report.handed_back += len(jobs)


def _settle_answered(
    parts: PipelineParts, window: Window, lookout: Lookout, report: RunReport, timeout_s: float
) -> None:
    """Wait for an answer, not long, then settle everything that has answered in one commit."""
    if not len(window):
        return
    told = list(window.answered(timeout_s))
    Effects(parts, window, lookout, report).carry_out(taken_up(parts, told))
    parts.exchanges.write_if_due()


def _settle_left(parts: PipelineParts, window: Window, lookout: Lookout, report: RunReport) -> None:
    """Settle what answers after the run, a few calls at a time."""
    _settle_answered(parts, window, lookout, report, LONGEST_LOOK_S)
    parts.exchanges.write()
