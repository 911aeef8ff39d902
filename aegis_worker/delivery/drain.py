"""The drain: claim events, tell every sink, remove the events from the outbox. No transaction is open while sinks work.

If a drain dies after telling and before removing, its events stay leased until the next drain tells them again, with the
same event ids. A drain whose lease has ended meanwhile removes nothing, because its fence is out of date.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from aegis_worker.crash_points import crash_point
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import EVENTS_DELIVERED
from aegis_worker.persistence import outbox_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.outbox_rows import ClaimedEvent, OutboxClaim, Removal

from .sink import Sink, SinkUnavailable

log = structlog.get_logger(__name__)

_FIRST_DELAY_S, _LONGEST_DELAY_S = 1.0, 60.0
_NOTHING = Removal(removed=0, freed=0)


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What one drain did, in events. `delivered`: told and removed; `failed`: kept, to be told later.

    `fanned_out`: deliveries that sinks have made of them. `more`: the drain ran out of time, so events may still be due.
    """

    claimed: int = 0
    delivered: int = 0
    failed: int = 0
    fanned_out: int = 0
    more: bool = False


def drain(
    database: Database,
    sinks: Sequence[Sink],
    *,
    limit: int,
    lease_s: float,
    budget_s: float = 20.0,
    fanned_out: Callable[[], None] = lambda: None,
) -> DrainReport:
    """Drain batches of up to `limit` events until nothing is due or `budget_s` has passed; then finish the batch.

    A batch that isn't full is the last one, because events that are committed later have a hint of their own.
    `fanned_out` is called after each batch from which a sink has made deliveries. If one sink is unavailable, events are
    still fanned out and the other sinks are still told. Raises DatabaseUnavailable.
    """
    stop_at = time.monotonic() + budget_s
    total = DrainReport()
    # Errors by the sink's name. A sink that failed once is left alone until the next drain, so that a server that hangs
    # costs only one wait.
    failures: dict[str, str] = {}
    while True:
        claim, deliveries = database.run(partial(take_up, sinks=sinks, limit=limit, lease_s=lease_s))
        if claim.events:
            crash_point("outbox.claimed")
        if deliveries:
            fanned_out()
        _tell(sinks, claim.events, failures)
        gone, kept = _NOTHING, 0
        if not failures:
            gone = _remove(database, claim.events)
        else:
            kept = _keep(database, claim.events, "; ".join(failures.values()))
        total = DrainReport(
            claimed=total.claimed + len(claim.events),
            delivered=total.delivered + gone.removed,
            failed=total.failed + kept,
            fanned_out=total.fanned_out + deliveries,
            more=claim.moved > 0 and (claim.full or gone.freed > 0),
        )
        if not total.more or time.monotonic() >= stop_at:
            return total


def take_up(
    connection: Connection, sinks: Sequence[Sink], *, limit: int, lease_s: float
) -> tuple[OutboxClaim, int]:
    """Claim events, and in the same transaction have the sinks fan out those that were not fanned out yet.

    Returns the claim, and how many deliveries the sinks have made.
    """
    claim = outbox_rows.claim(connection, limit=limit, lease_s=lease_s)
    if not claim.to_fan_out:
        return claim, 0
    return claim, sum(sink.fan_out(connection, claim.to_fan_out) for sink in sinks)


def next_delay_s(tries: int, rng: random.Random) -> float:
    """Seconds before try `tries + 1`: 1 s doubled with each failure, up to a quarter less by chance, at most 60 s."""
    return min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(tries - 1, 10)) * rng.uniform(0.75, 1.0)


def _tell(sinks: Sequence[Sink], claimed: Sequence[ClaimedEvent], failures: dict[str, str]) -> None:
    """Tell the sinks that haven't failed in this drain; adds to `failures` those that do now."""
    if not claimed:
        return
    events = [row.event for row in claimed]
    for sink in sinks:
        if sink.name in failures:
            continue
        try:
            sink.tell(events)
        except SinkUnavailable as error:
            log.warning(f"{sink.name} not written", events=len(events), error=str(error))
            failures[sink.name] = str(error)


def _remove(database: Database, told: Sequence[ClaimedEvent]) -> Removal:
    if not told:
        return _NOTHING
    crash_point("outbox.published")
    gone = database.run(partial(outbox_rows.remove, claimed=told))
    METER.increment(EVENTS_DELIVERED, by=gone.removed)
    crash_point("outbox.removed")
    return gone


def _keep(database: Database, claimed: Sequence[ClaimedEvent], error: str) -> int:
    """Put off the events that a sink did not take; returns how many rows were still ours."""
    if not claimed:
        return 0
    delays_s = _delays_s(claimed)
    return database.run(partial(outbox_rows.back_off, claimed=claimed, delays_s=delays_s, error=error))


def _delays_s(claimed: Sequence[ClaimedEvent]) -> list[float]:
    # All events of a payment get the same delay, so that they stay together. It is that of the payment's first event,
    # which has failed most often.
    rng = random.Random()
    delays: dict[str, float] = {}
    for row in claimed:
        if row.event.payment_id not in delays:
            delays[row.event.payment_id] = next_delay_s(row.tries + 1, rng)
    return [delays[row.event.payment_id] for row in claimed]
