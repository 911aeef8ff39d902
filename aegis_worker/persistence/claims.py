"""Claiming jobs: one compare-and-set UPDATE that raises the fence and sets a lease by PostgreSQL's clock (design D2)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from aegis_worker.clock import clock_s
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.payer import Payer
from aegis_worker.domain.trails import NO_TRAIL, Trail

from .attempt_rows import ATTEMPTS_AS_JSON, attempt_from_row
from .entity_rows import ENTITIES_AS_JSON, entities_from_json
from .mapping import payment_from_row
from .prepared import ROW_BY_ROW, Prepared
from .statement_files import text_of

# The most jobs that one claim takes.
_MOST = 1000

_IS_DUE = text_of("is_due")

# Finished jobs stay in the index until vacuum removes them. They come before all due jobs, so each claim would walk over
# them. Therefore a claim begins at the oldest job that the last claim found, less a margin for jobs whose transactions
# were still open then. Every so many seconds a claim begins at the very start, to find jobs that were committed late or
# whose holder left them.
_MARGIN, _LOOK_FROM_START_S = timedelta(seconds=1), 0.5

_CLAIM = Prepared(
    "claim",
    text_of(
        "claim",
        is_due=_IS_DUE,
        most=str(_MOST),
        entities_as_json=ENTITIES_AS_JSON.format(payment_id="c.payment_id"),
        attempts_as_json=ATTEMPTS_AS_JSON.format(payment_id="c.payment_id"),
    ),
    "text, int, text, float8, text, timestamptz",
    before=ROW_BY_ROW,
)

_MINE = "FROM unnest(%(ids)s::text[], %(epochs)s::int[]) AS mine(id, lease_epoch) WHERE j.id = mine.id"

_HAND_BACK = f"""
UPDATE jobs j
SET status = 'waiting', lease_until = NULL, updated_at = clock_timestamp(),
    run_at = clock_timestamp() + make_interval(secs => %(delay_s)s)
{_MINE} AND j.lease_epoch = mine.lease_epoch AND j.status = 'running'
"""

# Written before anything is decided, so that a claim counts as begun even if deciding kills the worker. `record` writes
# the same mark with each change.
_BEGIN = f"UPDATE jobs j SET begun_epoch = j.lease_epoch {_MINE} AND j.lease_epoch = mine.lease_epoch"

# If another worker has taken the job over, it has counted a death, which is taken back here. If none has yet, the mark is
# removed, so that the next one counts none.
_EXCUSE = f"""
UPDATE jobs j
SET begun_epoch = CASE WHEN j.lease_epoch > mine.lease_epoch THEN j.begun_epoch END,
    claim_count = greatest(j.claim_count - (j.lease_epoch > mine.lease_epoch)::int, 0)
{_MINE} AND j.finished_at IS NULL AND (j.lease_epoch = mine.lease_epoch OR j.claim_count > 0)
"""

_DUE = f"""
SELECT queue, count(*) AS due FROM unnest(ARRAY['payments', 'verify']) AS queue CROSS JOIN LATERAL (
    SELECT FROM jobs
    WHERE jobs.queue = queue.queue AND {_IS_DUE}
    ORDER BY jobs.queue, run_at LIMIT %(limit)s
) due GROUP BY queue
"""

_OLDEST_DUE = f"""
SELECT queue, extract(epoch FROM clock_timestamp() - due.run_at)::float8 AS age_s
FROM unnest(ARRAY['payments', 'verify']) AS queue CROSS JOIN LATERAL (
    SELECT run_at FROM jobs WHERE jobs.queue = queue.queue AND {_IS_DUE} ORDER BY jobs.queue, run_at LIMIT 1
) due
"""


@dataclass(slots=True)
class _Place:
    """Where the next claim of a queue begins: after which merchant, and at which `run_at`."""

    last_merchant: str = ""
    oldest: datetime | None = None
    from_start_at_s: float = 0.0

    def start(self) -> datetime | str:
        """The `run_at` from which the next claim looks for jobs."""
        now_s = time.monotonic()
        if self.oldest is None or now_s >= self.from_start_at_s:
            self.from_start_at_s = now_s + _LOOK_FROM_START_S
            return "-infinity"
        return self.oldest - _MARGIN


def claim(connection: Connection, queue: str, *, limit: int, lease_s: float, worker: str) -> list[ClaimedJob]:
    """Claim up to `limit` due or abandoned jobs of `queue` (1000 at most), each for `lease_s` under its own fence.

    Merchants take turns in the order of their ids, and each connection remembers who was last. A claim gives an equal
    share to each of up to `limit` merchants that have something due, the oldest job first, and what is left over to the
    oldest jobs of all. So whatever the backlog of others, a merchant that has a job due gets it claimed within
    ceil(merchants with something due / limit) claims of one connection: the next one where there are no more merchants
    than `limit`. Only a job that is seen more than a second late may have to wait half a second before that.
    """
    place: _Place = connection.info.setdefault(f"claimed_of_{queue}", _Place())
    values = (queue, limit, place.last_merchant, lease_s, worker, place.start())
    asked_at_s = clock_s()
    found = _CLAIM.execute(connection, *values)
    # As plain dicts: SQLAlchemy's mappings look up their keys anew for each row.
    names = tuple(found.keys())
    rows = [dict(zip(names, row, strict=True)) for row in found]
    told_at_s = clock_s()
    if rows:
        place.last_merchant, place.oldest = rows[0]["last_merchant"], rows[0]["oldest"]
    return [_claimed(row, asked_at_s, told_at_s) for row in rows]


def _claimed(row: Mapping[str, Any], asked_at_s: float, told_at_s: float) -> ClaimedJob:
    return ClaimedJob(
        id=row["job_id"],
        operation=row["operation"],
        lease_epoch=row["lease_epoch"],
        claim_count=row["claim_count"],
        payment=payment_from_row(row),
        attempts=tuple(attempt_from_row(attempt, asked_at_s, told_at_s) for attempt in row["attempts"] or ()),
        request=row["request"],
        made_at_s=asked_at_s - row["age_s"],
        claimed_at_s=asked_at_s,
        since_1970_s=row["time_of_day_s"] - told_at_s,
        left_behind=row["left_behind"],
        payer=None if row["payer"] is None else Payer(row["payer"]),
        entities=entities_from_json(row["entities"]),
        trail=_trail(row["correlation_id"], row["traceparent"]),
    )


def _trail(correlation_id: str | None, traceparent: str | None) -> Trail:
    return NO_TRAIL if correlation_id is None else Trail(correlation_id, traceparent)


def hand_back(connection: Connection, jobs: Sequence[ClaimedJob], *, delay_s: float) -> None:
    """Give up claims; the jobs are due again after `delay_s`. If a fence is lost, only a counted death is taken back."""
    excuse(connection, jobs)
    connection.exec_driver_sql(_HAND_BACK, {**_mine(jobs), "delay_s": delay_s})


def begin(connection: Connection, jobs: Sequence[ClaimedJob]) -> None:
    """Mark claims as begun: if this worker dies, its death counts against the job. A lost fence marks nothing."""
    connection.exec_driver_sql(_BEGIN, _mine(jobs))


def excuse(connection: Connection, jobs: Sequence[ClaimedJob]) -> None:
    """Count no death for these claims: take back one that was counted already, or see to it that none will be."""
    connection.exec_driver_sql(_EXCUSE, _mine(jobs))


def _mine(jobs: Sequence[ClaimedJob]) -> dict[str, Any]:
    return {"ids": [job.id for job in jobs], "epochs": [job.lease_epoch for job in jobs]}


def due_by_queue(connection: Connection, *, limit: int) -> dict[str, int]:
    """How many jobs are due or abandoned, by queue, counted up to `limit` each."""
    return {row.queue: row.due for row in connection.exec_driver_sql(_DUE, {"limit": limit})}


def oldest_due(connection: Connection) -> dict[str, float]:
    """For how many seconds the oldest job that may be claimed has been due, by queue."""
    return {row.queue: row.age_s for row in connection.exec_driver_sql(_OLDEST_DUE)}
