"""Our side of the books: what the database says of payments, and whether it has come to rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.audit.batches import pages
from aegis_worker.audit.violations import Bounds, Violation
from aegis_worker.domain.entities import UNSETTLED
from aegis_worker.persistence.database import Database

from .blame import NotTaken, Seen
from .disputes import Disputes, ours

# The audit is made when nothing is under way any more, so what is due must be taken up within a few ticks of beat.
_AT_REST = Bounds(overdue_after_s=30.0, undelivered_after_s=30.0, settles_after_s=10.0)

_PAYMENTS = """
SELECT p.id, p.state, p.currency, p.gateway, p.gateway_ref, p.last_error, p.version,
    json_build_object(
        'authorized', p.authorized_minor, 'captured', p.captured_minor, 'refunded', p.refunded_minor
    ) AS amounts,
    (SELECT json_build_object('data', coalesce(json_agg(json_build_object('amount', amount_minor, 'status', status)), '[]'))
        FROM captures WHERE payment_id = p.id) AS captures,
    (SELECT json_build_object('data', coalesce(json_agg(json_build_object('amount', amount_minor, 'status', status)), '[]'))
        FROM refunds WHERE payment_id = p.id) AS refunds,
    coalesce(job.status = 'review', false) AS in_review,
    job.operation || ' ' || job.status || coalesce(': ' || job.reason, '') AS job,
    (SELECT string_agg(type, ' ' ORDER BY seq) FROM payment_events WHERE payment_id = p.id) AS story,
    p.screening ->> 'action' AS screened
FROM payments p LEFT JOIN LATERAL (
    SELECT operation, status, reason FROM jobs WHERE payment_id = p.id ORDER BY (status = 'review') DESC, id DESC LIMIT 1
) job ON true
WHERE p.id > %(after)s ORDER BY p.id
"""

# What a gateway has taken in and decides later has no job: its event, or a look-up, settles it.
_UNDER_WAY = """
SELECT (
    SELECT count(*) FROM payments p WHERE p.unfinished
        AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.payment_id = p.id AND j.in_review)
) AS payments, (SELECT count(*) FROM outbox) AS events,
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending') AS deliveries,
    (SELECT count(*) FROM jobs WHERE finished_at IS NULL AND NOT in_review) AS jobs,
    (SELECT count(*) FROM (
        SELECT payment_id, status FROM captures UNION ALL SELECT payment_id, status FROM voids
        UNION ALL SELECT payment_id, status FROM refunds
    ) o WHERE status = ANY (%(unsettled)s)
        AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.payment_id = o.payment_id AND j.in_review)) AS orders
"""

_SCREENED = "SELECT count(*) FROM payments WHERE screening IS NOT NULL"
# What hooks and rules found before the first attempt, what hooks asked for after calls, and whom jobs wait for.
_SEEN = r"""
SELECT source, action, failed, count(*) AS count, min(payment_id) AS example FROM (
    SELECT f ->> 'source' AS source, f ->> 'action' AS action, f ->> 'failed' AS failed, p.id AS payment_id
    FROM payments p CROSS JOIN jsonb_array_elements(p.screening -> 'findings') f
    UNION ALL
    SELECT w ->> 'source', w ->> 'ask', w ->> 'failed', a.payment_id
    FROM attempts a CROSS JOIN jsonb_array_elements(a.outcome -> 'wishes') w
    UNION ALL
    SELECT substring(reason FROM 'hook \S+(?= asks for it)'), 'review', NULL, payment_id
    FROM jobs WHERE finished_at IS NULL AND status IN ('waiting', 'review') AND reason LIKE '%% asks for it%%'
) said WHERE source IS NOT NULL GROUP BY source, action, failed ORDER BY source, action, failed LIMIT 1000
"""
_NOT_TAKEN = """
SELECT hook, count(*), min(last_error) FROM hook_deliveries WHERE tries > 0 GROUP BY hook ORDER BY hook LIMIT 1000
"""


class Books:
    """Reads only. Raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def latest(self) -> str:
        """The id of the payment that was accepted last."""
        with self.database.read() as connection:
            return str(connection.exec_driver_sql("SELECT coalesce(max(id), '') FROM payments").scalar_one())

    def payments(self, after: str = "") -> list[Mapping[str, Any]]:
        """Payments with later ids than `after`; `version` is the seq of the last event."""
        with self.database.read() as connection:
            return [dict(row) for row in connection.exec_driver_sql(_PAYMENTS, {"after": after}).mappings()]

    def disputes(self) -> Disputes:
        """The disputes that we know, by gateway and its id of each."""
        with self.database.read() as connection:
            return ours(connection)

    def under_way(self) -> dict[str, int]:
        """How much has not come to rest: payments, orders and jobs that are open, events and webhooks to deliver."""
        with self.database.read() as connection:
            row = connection.exec_driver_sql(_UNDER_WAY, {"unsettled": sorted(UNSETTLED)}).mappings().one()
        return {what: count for what, count in row.items() if count}

    def screened(self) -> tuple[int, list[Seen], list[NotTaken]]:
        """How many payments were screened, what hooks and rules said of all, and what hooks that listen did not take."""
        with self.database.read() as connection:
            return (
                connection.exec_driver_sql(_SCREENED).scalar_one(),
                [Seen(*row) for row in connection.exec_driver_sql(_SEEN, {})],
                [NotTaken(*row) for row in connection.exec_driver_sql(_NOT_TAKEN)],
            )

    def audit(self, after: str = "") -> list[Violation]:
        """I1 to I7, as far as the database can tell."""
        return [
            violation for page in pages(self.database, _AT_REST, after=after) for violation in page.violations
        ]
