"""How far behind webhook deliveries are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from aegis_worker.ids import DELIVERY, first_id_at

from .outbox_rows import Lag

DEAD_WITHIN_D = 7

_LAG = """
SELECT count(*) AS pending, count(*) FILTER (WHERE tries > 0) AS failed,
    count(*) FILTER (WHERE leased AND due_at > statement_timestamp()) AS leased,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_age_s,
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'dead' AND id >= %(ended_after)s) AS dead,
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'cancelled' AND id >= %(ended_after)s) AS cancelled
FROM webhook_deliveries WHERE status = 'pending'
"""


class WebhookLag(Lag):
    """How far behind webhooks are. `dead` (given up) and `cancelled` (endpoint gone) count those of the last 7 days."""

    dead: int
    cancelled: int


def lag(connection: Connection) -> WebhookLag:
    """Reads every pending delivery: for people and for a gauge every few seconds, not for a hot path."""
    after = first_id_at(DELIVERY, datetime.now(UTC) - timedelta(days=DEAD_WITHIN_D))
    row = connection.exec_driver_sql(_LAG, {"ended_after": after}).one()
    return WebhookLag(
        pending=row.pending,
        failed=row.failed,
        leased=row.leased,
        oldest_age_s=row.oldest_age_s,
        dead=row.dead,
        cancelled=row.cancelled,
    )
