"""Claiming jobs: one compare-and-set UPDATE that raises the fence and sets a lease by PostgreSQL's clock (design D2)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from .mapping import ClaimedJob, attempt_from_json, payment_from_row

# A job keeps its `run_at` and its place in the index while it runs, so one whose holder's lease ran out comes first: a
# customer has been waiting for it longest. Those that run are passed over; there are no more than calls in flight.
# statement_timestamp() and not clock_timestamp(): only a stable function can bound an index scan.
_IS_FREE = "(status IN ('queued', 'waiting') OR lease_until < statement_timestamp())"
_CLAIM = f"""
WITH due AS (
    SELECT id FROM jobs
    WHERE queue = %(queue)s AND finished_at IS NULL AND NOT in_review AND run_at <= statement_timestamp() AND {_IS_FREE}
    ORDER BY run_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE jobs j
    SET status = 'running', lease_epoch = j.lease_epoch + 1, claim_count = j.claim_count + 1,
        claimed_by = %(worker)s, lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
        updated_at = clock_timestamp()
    FROM (SELECT id FROM due LIMIT %(limit)s) pick
    WHERE j.id = pick.id
    RETURNING j.id AS job_id, j.operation, j.lease_epoch, j.claim_count, j.request, j.payment_id
)
SELECT c.job_id, c.operation, c.lease_epoch, c.claim_count, c.request, p.*, (
    SELECT json_agg(json_build_object(
        'operation', a.operation, 'number', a.number, 'gateway', a.gateway, 'gateway_key', a.gateway_key,
        'request_hash', a.request_hash, 'status', a.status, 'gateway_ref', a.gateway_ref, 'outcome', a.outcome,
        'lease_epoch', a.lease_epoch, 'sends', a.sends, 'checks', a.checks, 'not_found_count', a.not_found_count,
        'age_s', extract(epoch FROM clock_timestamp() - a.sent_at)::float8,
        'not_found_age_s', extract(epoch FROM clock_timestamp() - a.first_not_found_at)::float8
    ) ORDER BY a.sent_at)
    FROM attempts a WHERE a.payment_id = c.payment_id
) AS attempts
FROM claimed c JOIN payments p ON p.id = c.payment_id AND p.frozen_at IS NULL
"""

_HAND_BACK = """
UPDATE jobs j
SET status = 'waiting', lease_until = NULL, claim_count = j.claim_count - 1, updated_at = clock_timestamp(),
    run_at = clock_timestamp() + make_interval(secs => %(delay_s)s)
FROM unnest(%(ids)s::text[], %(epochs)s::int[]) AS mine(id, lease_epoch)
WHERE j.id = mine.id AND j.lease_epoch = mine.lease_epoch AND j.status = 'running'
"""

_DUE = f"""
SELECT queue, count(*) AS due FROM unnest(ARRAY['payments', 'verify']) AS queue CROSS JOIN LATERAL (
    SELECT FROM jobs
    WHERE jobs.queue = queue.queue AND finished_at IS NULL AND NOT in_review AND run_at <= statement_timestamp()
        AND {_IS_FREE}
    ORDER BY run_at LIMIT %(limit)s
) due GROUP BY queue
"""


def claim(connection: Connection, queue: str, *, limit: int, lease_s: float, worker: str) -> list[ClaimedJob]:
    """Up to `limit` due or abandoned jobs of `queue`, each ours for `lease_s` seconds under a fence of its own."""
    rows = connection.exec_driver_sql(
        _CLAIM, {"queue": queue, "limit": limit, "lease_s": lease_s, "worker": worker}
    ).mappings()
    return [
        ClaimedJob(
            id=row["job_id"],
            operation=row["operation"],
            lease_epoch=row["lease_epoch"],
            claim_count=row["claim_count"],
            payment=payment_from_row(dict(row)),
            attempts=tuple(attempt_from_json(attempt) for attempt in row["attempts"] or ()),
            request=row["request"],
        )
        for row in rows
    ]


def hand_back(connection: Connection, jobs: Sequence[ClaimedJob], *, delay_s: float) -> None:
    """Give up claims on which nothing was done; they are due again after `delay_s`. A lost fence gives up nothing."""
    connection.exec_driver_sql(
        _HAND_BACK,
        {"ids": [job.id for job in jobs], "epochs": [job.lease_epoch for job in jobs], "delay_s": delay_s},
    )


def due_by_queue(connection: Connection, *, limit: int) -> dict[str, int]:
    """How many jobs are due or abandoned, by queue, counted up to `limit` each."""
    return {row.queue: row.due for row in connection.exec_driver_sql(_DUE, {"limit": limit})}
