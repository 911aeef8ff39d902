"""How the first hops of an A/B test's payments ended, by arm. A payment whose first hop left the arms doesn't count."""

from __future__ import annotations

from sqlalchemy import Connection

from aegis_worker.routing.experiment import ArmOutcome
from aegis_worker.routing.past import past_hop

from .past_payments import FIRST_HOP, Span

# The decision stands on the first step of the hop, the outcome on the last one.
_ARMS = f"""
WITH p AS (
    SELECT DISTINCT ON (payment_id) payment_id AS id, decision->>'arm' AS arm
    FROM attempts
    WHERE payment_id BETWEEN %(first)s AND %(last)s AND number = 1 AND decision->>'experiment' = %(experiment)s
    ORDER BY payment_id
)
SELECT p.arm, hop.gateway, hop.operation, hop.status, hop.said, hop.latency_ms IS NULL AS unanswered,
    count(*) AS payments, avg(hop.latency_ms) AS latency_ms
FROM p JOIN LATERAL ({FIRST_HOP}) hop ON true
GROUP BY 1, 2, 3, 4, 5, 6
"""


def outcomes_by_arm(connection: Connection, experiment: str, span: Span) -> dict[str, ArmOutcome]:
    """The outcomes by arm, over those payments of the span that were part of the experiment."""
    parameters = {"first": span.first_id, "last": span.last_id, "experiment": experiment}
    arms: dict[str, ArmOutcome] = {}
    for row in connection.exec_driver_sql(_ARMS, parameters).mappings():
        hop = past_hop(row["gateway"], row["operation"], row["status"], row["said"], row["latency_ms"])
        arms.setdefault(row["arm"], ArmOutcome()).add(hop, row["payments"])
    return arms
