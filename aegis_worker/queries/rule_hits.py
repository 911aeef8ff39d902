"""How often rules and hooks found something lately, by what payments keep of their screening."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from aegis_worker.ids import PAYMENT, first_id_at

# Of a day's payments, the newest so many are looked at.
MOST_READ = 20_000

_HITS = """
WITH looked AS MATERIALIZED (
    SELECT screening FROM payments WHERE id >= %(first)s ORDER BY id DESC LIMIT %(most)s
)
SELECT NULL AS source, NULL AS action, count(*) AS payments, 0 AS failed FROM looked
UNION ALL
SELECT f ->> 'source', f ->> 'action', count(*), count(*) FILTER (WHERE f ->> 'failed' IS NOT NULL)
FROM looked, jsonb_array_elements(screening -> 'findings') f
WHERE screening IS NOT NULL GROUP BY 1, 2 ORDER BY 3 DESC
"""


@dataclass(frozen=True, slots=True)
class Hits:
    """Findings of one source (`rule high_value`), by action; `failed` of them because it could not be asked."""

    by_action: Mapping[str, int]
    failed: int


@dataclass(frozen=True, slots=True)
class RuleHits:
    """`by_source` of the newest `payments` of a day. `complete`: False where the day had more."""

    payments: int
    complete: bool
    by_source: Mapping[str, Hits]


def rule_hits(connection: Connection, since: datetime) -> RuleHits:
    """What was found of payments accepted since then, of all merchants."""
    names = {"first": first_id_at(PAYMENT, since), "most": MOST_READ}
    total, *rows = connection.exec_driver_sql(_HITS, names).all()
    actions: dict[str, dict[str, int]] = {}
    failed: dict[str, int] = {}
    for source, action, payments, without_answer in rows:
        actions.setdefault(source, {})[action] = payments
        failed[source] = failed.get(source, 0) + without_answer
    by_source = {source: Hits(found, failed[source]) for source, found in actions.items()}
    return RuleHits(total.payments, total.payments < MOST_READ, by_source)
