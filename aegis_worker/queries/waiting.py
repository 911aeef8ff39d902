"""What waits, in numbers for a monitor: events by sink, webhook deliveries by how they stand, people's reviews, and
disputes that want an answer.

Several monitors may ask every few seconds, so each count uses an index and ends at `MOST_COUNTED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from aegis_worker.domain.reviews import ReviewKind
from aegis_worker.ids import DELIVERY, first_id_at
from aegis_worker.persistence.delivery_lag import DEAD_WITHIN_D

MOST_COUNTED = 10_000

# The primary key orders payments by their age. So even if there are more rows than are counted, the oldest are counted.
_OUTBOX = """
SELECT count(*) AS pending, coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_age_s
FROM (SELECT created_at FROM outbox ORDER BY payment_id, seq LIMIT %(most)s) o
"""
_WEBHOOKS = """
SELECT count(*) AS pending, count(*) FILTER (WHERE tries > 0) AS failing,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_age_s
FROM (
    SELECT created_at, tries FROM webhook_deliveries WHERE status = 'pending' ORDER BY endpoint_id, due_at LIMIT %(most)s
) d
"""
_HOOKS = """
SELECT count(*) FILTER (WHERE status = 'pending') AS pending,
    count(*) FILTER (WHERE status = 'pending' AND tries > 0) AS failing, count(*) FILTER (WHERE status = 'dead') AS dead,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE status = 'pending')), 0)::float8
        AS oldest_age_s
FROM (SELECT created_at, tries, status FROM hook_deliveries ORDER BY created_at LIMIT %(most)s) d
"""
# One statement for each status, because PostgreSQL uses a partial index only if the statement spells the status out.
_ENDED = """
SELECT
    (SELECT count(*) FROM (
        SELECT FROM webhook_deliveries WHERE status = 'dead' AND id >= %(after)s LIMIT %(most)s) d) AS dead,
    (SELECT count(*) FROM (
        SELECT FROM webhook_deliveries WHERE status = 'cancelled' AND id >= %(after)s LIMIT %(most)s) c) AS cancelled
"""
_REVIEWS = """
SELECT count(*) FILTER (WHERE NOT fraud) AS doubts, count(*) FILTER (WHERE fraud) AS frauds,
    coalesce(extract(epoch FROM clock_timestamp() - min(since) FILTER (WHERE NOT fraud)), 0)::float8 AS doubts_age_s,
    coalesce(extract(epoch FROM clock_timestamp() - min(since) FILTER (WHERE fraud)), 0)::float8 AS frauds_age_s,
    count(*) FILTER (WHERE frozen) AS frozen
FROM (
    SELECT payment_id, min(since) AS since, bool_or(frozen) AS frozen, bool_or(fraud) AS fraud FROM (
        (SELECT payment_id, updated_at AS since, false AS frozen, coalesce(review_kind = 'fraud', false) AS fraud
            FROM jobs WHERE in_review ORDER BY payment_id LIMIT %(most)s)
        UNION ALL
        (SELECT id, frozen_at, true, false FROM payments WHERE frozen_at IS NOT NULL ORDER BY id LIMIT %(most)s)
    ) each GROUP BY payment_id
) r
"""
_DISPUTES = """
SELECT count(*) AS waiting, extract(epoch FROM min(respond_by) - clock_timestamp())::float8 AS soonest_s
FROM (
    SELECT respond_by FROM disputes WHERE status IN ('warning', 'needs_response') ORDER BY respond_by LIMIT %(most)s
) d
"""


@dataclass(frozen=True, slots=True)
class WaitingNumbers:
    """Counts, each up to MOST_COUNTED, and in seconds the age of whatever has waited longest; 0 if nothing waits.

    `failing` deliveries are pending ones that were tried; `dead` and `cancelled` webhooks are of the last 7 days. `frozen`
    payments are among the reviews. `disputes` wait for evidence; `disputes_soonest_s`: until the next of their deadlines,
    negative once it has passed, None without any.
    """

    stream_pending: int
    stream_oldest_age_s: float
    webhooks_pending: int
    webhooks_oldest_age_s: float
    webhooks_failing: int
    webhooks_dead: int
    webhooks_cancelled: int
    hooks_pending: int
    hooks_oldest_age_s: float
    hooks_failing: int
    hooks_dead: int
    reviews: Mapping[ReviewKind, int]
    reviews_oldest_age_s: Mapping[ReviewKind, float]
    frozen: int
    disputes: int
    disputes_soonest_s: float | None


def waiting_numbers(connection: Connection) -> WaitingNumbers:
    """What waits now."""
    after = first_id_at(DELIVERY, datetime.now(UTC) - timedelta(days=DEAD_WITHIN_D))
    names = {"most": MOST_COUNTED, "after": after}
    outbox, webhooks, ended, hooks, reviews, disputes = (
        connection.exec_driver_sql(statement, names).one()
        for statement in (_OUTBOX, _WEBHOOKS, _ENDED, _HOOKS, _REVIEWS, _DISPUTES)
    )
    return WaitingNumbers(
        stream_pending=outbox.pending,
        stream_oldest_age_s=outbox.oldest_age_s,
        webhooks_pending=webhooks.pending,
        webhooks_oldest_age_s=webhooks.oldest_age_s,
        webhooks_failing=webhooks.failing,
        webhooks_dead=ended.dead,
        webhooks_cancelled=ended.cancelled,
        hooks_pending=hooks.pending,
        hooks_oldest_age_s=hooks.oldest_age_s,
        hooks_failing=hooks.failing,
        hooks_dead=hooks.dead,
        reviews={"doubt": reviews.doubts, "fraud": reviews.frauds},
        reviews_oldest_age_s={"doubt": reviews.doubts_age_s, "fraud": reviews.frauds_age_s},
        frozen=reviews.frozen,
        disputes=disputes.waiting,
        disputes_soonest_s=disputes.soonest_s,
    )
