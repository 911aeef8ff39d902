"""What is late or wrong, in numbers for a monitor: jobs, payments in doubt, what audit and comparison found.

Several monitors may ask every few seconds, so each look uses an index and ends at a bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from aegis_worker.persistence.claims import oldest_due

_MOST_COUNTED = 10_000
# Of the newest so many runs, the newest that compared ended payments with gateways.
_RUNS_LOOKED_AT = 1000

_IN_DOUBT = """
SELECT count(*) AS payments,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_age_s
FROM (
    SELECT created_at FROM payments WHERE certainty = 'unknown' ORDER BY merchant_id, id LIMIT %(most)s
) d
"""
_INCIDENTS = "SELECT count(*) FROM (SELECT FROM incidents WHERE resolved_at IS NULL LIMIT %(most)s) i"
_UNANSWERED = """
SELECT count(*) FROM (
    SELECT FROM gateway_events WHERE status = 'unmatched' AND payment_id IS NOT NULL LIMIT %(most)s
) e
"""
_MISMATCHES = """
SELECT (found->>'mismatches')::int FROM (
    SELECT id, since, found FROM reconciliation_runs ORDER BY id DESC LIMIT %(runs)s
) r WHERE since IS NOT NULL ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class OverdueNumbers:
    """Ages in seconds; `jobs_oldest_age_s` by queue, those that have one due. `incidents`: that nobody has resolved.
    `mismatches`: of the last comparison with gateways; None before the first. `unanswered`: events about payments of ours
    for which their gateways did not answer in time. Counts end at 10,000.
    """

    jobs_oldest_age_s: Mapping[str, float]
    in_doubt: int
    in_doubt_oldest_age_s: float
    incidents: int
    mismatches: int | None
    unanswered: int


def overdue_numbers(connection: Connection) -> OverdueNumbers:
    """What is overdue now."""
    names = {"most": _MOST_COUNTED, "runs": _RUNS_LOOKED_AT}
    doubt = connection.exec_driver_sql(_IN_DOUBT, names).one()
    return OverdueNumbers(
        oldest_due(connection),
        doubt.payments,
        doubt.oldest_age_s,
        connection.exec_driver_sql(_INCIDENTS, names).scalar_one(),
        connection.exec_driver_sql(_MISMATCHES, names).scalar_one_or_none(),
        unanswered_events(connection),
    )


def unanswered_events(connection: Connection) -> int:
    """How many events about payments of ours were given up, as their gateways did not answer; at most 10,000."""
    return int(connection.exec_driver_sql(_UNANSWERED, {"most": _MOST_COUNTED}).scalar_one())
