"""Claiming jobs: one compare-and-set UPDATE that raises the fence and sets a lease by PostgreSQL's clock (design D2)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from aegis_worker.clock import clock_s
from aegis_worker.domain.jobs import ClaimedJob

from .attempt_rows import ATTEMPTS_AS_JSON, attempt_from_row
from .mapping import payment_from_row
from .prepared import Prepared

# Bounds a claim.
_MOST = 1000

# A job keeps its `run_at` and its place in the index while it runs, so one whose holder's lease ran out comes first: a
# customer has been waiting for it longest. Those that run are passed over; there are no more than calls in flight.
# statement_timestamp() and not clock_timestamp(): only a stable function can bound an index scan.
_IS_DUE = """finished_at IS NULL AND NOT in_review AND run_at <= statement_timestamp()
        AND (status IN ('queued', 'waiting') OR lease_until < statement_timestamp())"""

# What is done stays in the index until it is vacuumed away, before everything that is due, and each claim would walk over
# it. So claims begin where the oldest job was that the last one found, less a margin for those whose transactions were
# still open then; from time to time one begins at the very start, and finds what came in late or was left by a holder.
_MARGIN, _LOOK_FROM_START_S = timedelta(seconds=1), 0.5

# The heads of the merchants that have something due, one step in the index for each, from the one after the last turn to
# the end and from the start to the last turn: no more of them than jobs are wanted. Each gets an equal share; what is left
# over goes to the oldest of all. The inner LIMIT is for the planner, which knows $2 only when it is too late.
_NEXT = f"""
    SELECT merchant_id, run_at FROM jobs
    WHERE queue = $1 AND merchant_id > turn.merchant_id {{and_not_after}} AND run_at >= $6 AND {_IS_DUE}
    ORDER BY queue, merchant_id, run_at LIMIT 1
"""
_CLAIM = Prepared(
    "claim",
    f"""
WITH RECURSIVE ahead AS (
    SELECT 0 AS place, $3 AS merchant_id, NULL::timestamptz AS run_at
    UNION ALL
    SELECT turn.place + 1, next.* FROM ahead turn CROSS JOIN LATERAL ({_NEXT.format(and_not_after="")}) next
    WHERE turn.place < $2
), behind AS (
    SELECT (SELECT max(place) FROM ahead) AS place, '' AS merchant_id, NULL::timestamptz AS run_at
    UNION ALL
    SELECT turn.place + 1, next.* FROM behind turn
    CROSS JOIN LATERAL ({_NEXT.format(and_not_after="AND merchant_id <= $3")}) next
    WHERE turn.place < $2
), turns AS MATERIALIZED (
    SELECT * FROM ahead WHERE run_at IS NOT NULL UNION ALL SELECT * FROM behind WHERE run_at IS NOT NULL
), fair AS MATERIALIZED (
    SELECT due.at, due.left_behind FROM turns CROSS JOIN LATERAL (
        SELECT at, left_behind FROM (
            SELECT ctid AS at, status = 'running' AS left_behind FROM jobs
            WHERE queue = $1 AND merchant_id = turns.merchant_id AND run_at >= turns.run_at AND {_IS_DUE}
            ORDER BY queue, merchant_id, run_at LIMIT {_MOST} FOR UPDATE SKIP LOCKED
        ) head LIMIT (SELECT $2 / count(*) FROM turns)
    ) due
), oldest AS MATERIALIZED (
    SELECT at, left_behind FROM (
        SELECT ctid AS at, status = 'running' AS left_behind FROM jobs WHERE queue = $1 AND run_at >= $6 AND {_IS_DUE}
        ORDER BY queue, run_at LIMIT {_MOST} FOR UPDATE SKIP LOCKED
    ) head LIMIT (SELECT CASE WHEN count(*) < $2 THEN $2 ELSE 0 END FROM fair)
), claimed AS (
    UPDATE jobs j
    SET status = 'running', lease_epoch = j.lease_epoch + 1,
        claim_count = j.claim_count + (pick.left_behind AND coalesce(j.begun_epoch = j.lease_epoch, false))::int,
        claimed_by = $5, lease_until = clock_timestamp() + make_interval(secs => $4),
        updated_at = clock_timestamp()
    FROM (
        SELECT at, left_behind FROM fair
        UNION ALL SELECT at, left_behind FROM oldest WHERE at NOT IN (SELECT at FROM fair) LIMIT $2
    ) pick
    WHERE j.ctid = pick.at
    RETURNING j.id AS job_id, j.operation, j.lease_epoch, j.claim_count, j.request, j.payment_id,
        pick.left_behind, extract(epoch FROM clock_timestamp() - j.created_at)::float8 AS age_s
)
SELECT (SELECT merchant_id FROM turns ORDER BY place DESC LIMIT 1) AS last_merchant, (
    SELECT run_at FROM jobs WHERE queue = $1 AND run_at >= $6 AND {_IS_DUE} ORDER BY queue, run_at LIMIT 1
) AS oldest,
    c.job_id, c.operation, c.lease_epoch, c.claim_count, c.left_behind, c.request, c.age_s, p.*, (
    {ATTEMPTS_AS_JSON.format(payment_id="c.payment_id")}
) AS attempts
FROM claimed c JOIN payments p ON p.id = c.payment_id AND p.frozen_at IS NULL
""",
    "text, int, text, float8, text, timestamptz",
)

_MINE = "FROM unnest(%(ids)s::text[], %(epochs)s::int[]) AS mine(id, lease_epoch) WHERE j.id = mine.id"

_HAND_BACK = f"""
UPDATE jobs j
SET status = 'waiting', lease_until = NULL, updated_at = clock_timestamp(),
    run_at = clock_timestamp() + make_interval(secs => %(delay_s)s)
{_MINE} AND j.lease_epoch = mine.lease_epoch AND j.status = 'running'
"""

# Before anything is decided, so that a worker whom deciding kills has left it, too. `record` writes it with an attempt.
_BEGIN = f"UPDATE jobs j SET begun_epoch = j.lease_epoch {_MINE} AND j.lease_epoch = mine.lease_epoch"

# Whoever took over has counted a death, and whoever will do so finds the mark gone.
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


@dataclass(slots=True)
class _Place:
    """Where the next claim of a queue begins: after which merchant, and from when on jobs are looked for."""

    last_merchant: str = ""
    oldest: datetime | None = None
    from_start_at_s: float = 0.0

    def start(self) -> datetime | str:
        """Since when to look."""
        now_s = time.monotonic()
        if self.oldest is None or now_s >= self.from_start_at_s:
            self.from_start_at_s = now_s + _LOOK_FROM_START_S
            return "-infinity"
        return self.oldest - _MARGIN


def claim(connection: Connection, queue: str, *, limit: int, lease_s: float, worker: str) -> list[ClaimedJob]:
    """Up to `limit` due or abandoned jobs of `queue` (1000 at most), each ours for `lease_s` seconds under its own fence.

    Merchants take turns in the order of their ids, and each connection remembers who was last. A claim gives an equal
    share to each of up to `limit` merchants that have something due, the oldest job first, and what is left over to the
    oldest jobs of all. So whatever the backlog of others, a merchant that has a job due gets it claimed within
    ceil(merchants with something due / limit) claims of one connection: the next one where there are no more merchants
    than `limit`. Only a job that is seen more than a second late may have to wait half a second before that.
    """
    place: _Place = connection.info.setdefault(f"claimed_of_{queue}", _Place())
    values = (queue, limit, place.last_merchant, lease_s, worker, place.start())
    asked_at_s = clock_s()
    rows = _CLAIM.execute(connection, *values).mappings().all()
    told_at_s = clock_s()
    if rows:
        place.last_merchant, place.oldest = rows[0]["last_merchant"], rows[0]["oldest"]
    return [
        ClaimedJob(
            id=row["job_id"],
            operation=row["operation"],
            lease_epoch=row["lease_epoch"],
            claim_count=row["claim_count"],
            payment=payment_from_row(dict(row)),
            attempts=tuple(
                attempt_from_row(attempt, asked_at_s, told_at_s) for attempt in row["attempts"] or ()
            ),
            request=row["request"],
            made_at_s=asked_at_s - row["age_s"],
            claimed_at_s=asked_at_s,
            left_behind=row["left_behind"],
        )
        for row in rows
    ]


def hand_back(connection: Connection, jobs: Sequence[ClaimedJob], *, delay_s: float) -> None:
    """Give up claims; they are due again after `delay_s`. Of one whose fence is lost, only the death is taken back."""
    excuse(connection, jobs)
    connection.exec_driver_sql(_HAND_BACK, {**_mine(jobs), "delay_s": delay_s})


def begin(connection: Connection, jobs: Sequence[ClaimedJob]) -> None:
    """Mark claims as begun: left without an answer, they count. A lost fence marks nothing."""
    connection.exec_driver_sql(_BEGIN, _mine(jobs))


def excuse(connection: Connection, jobs: Sequence[ClaimedJob]) -> None:
    """Take back that whoever claimed these has died, as is or will be believed because they were left."""
    connection.exec_driver_sql(_EXCUSE, _mine(jobs))


def _mine(jobs: Sequence[ClaimedJob]) -> dict[str, Any]:
    return {"ids": [job.id for job in jobs], "epochs": [job.lease_epoch for job in jobs]}


def due_by_queue(connection: Connection, *, limit: int) -> dict[str, int]:
    """How many jobs are due or abandoned, by queue, counted up to `limit` each."""
    return {row.queue: row.due for row in connection.exec_driver_sql(_DUE, {"limit": limit})}
