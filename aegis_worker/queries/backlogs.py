"""What is due and what is held up: jobs by queue, deliveries by merchants' endpoint. For people who look every few seconds,
so each look uses an index and ends at `MOST_LOOKED_AT`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

MOST_LOOKED_AT = 10_000
_QUEUES = ("payments", "verify")

# While a worker holds a job, its `run_at` is the end of the lease, so a job that was left behind is due again by itself.
_QUEUE = """
SELECT count(*) FILTER (WHERE run_at <= now) AS due, count(*) FILTER (WHERE run_at > now AND status = 'running') AS running,
    count(*) FILTER (WHERE run_at > now AND status <> 'running') AS later,
    coalesce(extract(epoch FROM clock_timestamp() - min(run_at) FILTER (WHERE run_at <= now)), 0)::float8 AS oldest_age_s
FROM (
    SELECT run_at, status, statement_timestamp() AS now FROM jobs
    WHERE finished_at IS NULL AND NOT in_review AND queue = %(queue)s ORDER BY run_at LIMIT %(most)s
) j
"""
_ENDPOINTS = """
SELECT d.endpoint_id, e.merchant_id, e.url, count(*) AS pending, count(*) FILTER (WHERE d.tries > 0) AS failing,
    extract(epoch FROM clock_timestamp() - min(d.created_at))::float8 AS oldest_age_s,
    e.resting_until > clock_timestamp() AS rests,
    (array_agg(d.log -> -1 ->> 'error' ORDER BY d.created_at) FILTER (WHERE d.tries > 0))[1] AS last_error
FROM (
    SELECT endpoint_id, created_at, tries, log FROM webhook_deliveries WHERE status = 'pending'
    ORDER BY endpoint_id, due_at LIMIT %(most)s
) d JOIN webhook_endpoints e ON e.id = d.endpoint_id
GROUP BY d.endpoint_id, e.merchant_id, e.url, e.resting_until
ORDER BY oldest_age_s DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class QueueBacklog:
    """Jobs of one queue: `due` to be taken up now, `running` in a worker's hands, `later` due at a later time.

    `oldest_age_s`: for how long the oldest has been due; 0 where none is.
    """

    queue: str
    due: int
    running: int
    later: int
    oldest_age_s: float


@dataclass(frozen=True, slots=True)
class EndpointBacklog:
    """Deliveries that wait at one merchants' endpoint. `failing`: those that were tried in vain; `rests`: nothing is posted
    there for now, because it did not answer.
    """

    endpoint_id: str
    merchant_id: str
    url: str
    pending: int
    failing: int
    oldest_age_s: float
    rests: bool
    last_error: str | None


def queue_backlogs(connection: Connection) -> Sequence[QueueBacklog]:
    """Each queue, counted up to MOST_LOOKED_AT."""
    return [_queue(connection, queue) for queue in _QUEUES]


def _queue(connection: Connection, queue: str) -> QueueBacklog:
    row = connection.exec_driver_sql(_QUEUE, {"queue": queue, "most": MOST_LOOKED_AT}).one()
    return QueueBacklog(queue, row.due, row.running, row.later, row.oldest_age_s)


def slow_endpoints(connection: Connection, *, limit: int) -> Sequence[EndpointBacklog]:
    """Endpoints with something that waits, the one that has waited longest first."""
    rows = connection.exec_driver_sql(_ENDPOINTS, {"most": MOST_LOOKED_AT, "limit": limit})
    return [
        EndpointBacklog(
            row.endpoint_id,
            row.merchant_id,
            row.url,
            row.pending,
            row.failing,
            row.oldest_age_s,
            bool(row.rests),
            row.last_error,
        )
        for row in rows
    ]
