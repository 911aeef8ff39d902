"""The columns in which a row keeps the trail of the request that brought it about."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Column, Text

from aegis_worker.domain.trails import NO_TRAIL, Trail

NAMES = "correlation_id, traceparent"

# For a job that nobody asked for by itself: it goes on with the trail of its payment's last job. Ids rise with time.
LAST_TRAIL = """
LEFT JOIN LATERAL (
    SELECT correlation_id, traceparent FROM jobs WHERE payment_id = {payment_id} ORDER BY id DESC LIMIT 1
) trail ON true
"""
OF_LAST_TRAIL = "trail.correlation_id, trail.traceparent"

# For an event `e` of the row `t`: the trail of the job that was the last one when it happened. An event that came with a
# job may be some milliseconds older than the job, and a payment's first event was there before any job.
TRAIL_OF_EVENT = """
LEFT JOIN LATERAL (
    SELECT correlation_id, traceparent FROM jobs WHERE payment_id = t.payment_id
    ORDER BY created_at <= e.at + interval '10 ms' DESC, abs(extract(epoch FROM created_at - e.at)) LIMIT 1
) trail ON true
"""


def columns() -> tuple[Column[str], Column[str]]:
    """The columns of a table whose rows have a trail."""
    return Column("correlation_id", Text), Column("traceparent", Text)


def parameters(trail: Trail | None) -> Mapping[str, str | None]:
    """The trail as parameters of a statement."""
    trail = trail or NO_TRAIL
    return {"correlation_id": trail.correlation_id, "traceparent": trail.traceparent}
