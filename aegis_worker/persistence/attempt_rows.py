"""Rows of `attempts` as `Attempt`, the one type on which all decisions are made. Every reader reads them like this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, literal_column

from aegis_worker.domain.attempts import Attempt, AttemptStatus, StoredOutcome
from aegis_worker.domain.outcomes import Operation

# By name, the SQL of the values that `attempt_from_row` takes. Ages are in seconds, by PostgreSQL's clock.
_READ = {
    "operation": "attempts.operation",
    "number": "attempts.number",
    "gateway": "attempts.gateway",
    "gateway_key": "attempts.gateway_key",
    "request_hash": "attempts.request_hash",
    "status": "attempts.status",
    "gateway_ref": "attempts.gateway_ref",
    "outcome": "attempts.outcome",
    "lease_epoch": "attempts.lease_epoch",
    "sends": "attempts.sends",
    "checks": "attempts.checks",
    "not_found_count": "attempts.not_found_count",
    "account": "attempts.account",
    "candidates": "attempts.decision->'candidates'",
    "age_s": "extract(epoch FROM clock_timestamp() - attempts.sent_at)::float8",
    "answered_age_s": "extract(epoch FROM clock_timestamp() - attempts.answered_at)::float8",
    "not_found_age_s": "extract(epoch FROM clock_timestamp() - attempts.first_not_found_at)::float8",
}

# For a SELECT from `attempts`.
ATTEMPT_COLUMNS: list[ColumnElement[Any]] = [
    literal_column(expression).label(name) for name, expression in _READ.items()
]
# A subquery for statements about payments: a payment's attempts in the order they were sent, as a JSON list of objects,
# or NULL. The statement fills in its own name for the payment's id.
ATTEMPTS_AS_JSON = f"""
SELECT json_agg(json_build_object(
    {", ".join(f"'{name}', {expression}" for name, expression in _READ.items())}
) ORDER BY attempts.sent_at)
FROM attempts WHERE attempts.payment_id = {{payment_id}}
"""


def attempt_from_row(row: Mapping[str, Any], asked_at_s: float, told_at_s: float) -> Attempt:
    """An attempt from what `ATTEMPT_COLUMNS` or `ATTEMPTS_AS_JSON` read between the two readings of this process's clock.

    Its ages are brought onto that clock so that a key seems older than it is and an absence younger, never the other way.
    """
    not_found_age_s, answered_age_s = row["not_found_age_s"], row["answered_age_s"]
    return Attempt(
        operation=Operation(row["operation"]),
        number=row["number"],
        gateway=row["gateway"],
        gateway_key=row["gateway_key"],
        request_hash=row["request_hash"],
        status=AttemptStatus(row["status"]),
        gateway_ref=row["gateway_ref"],
        outcome=StoredOutcome.from_json(row["outcome"]),
        lease_epoch=row["lease_epoch"],
        sends=row["sends"],
        checks=row["checks"],
        not_found_count=row["not_found_count"],
        sent_at_s=asked_at_s - row["age_s"],
        first_not_found_at_s=None if not_found_age_s is None else told_at_s - not_found_age_s,
        candidates=tuple(row["candidates"] or ()),
        answered_at_s=None if answered_age_s is None else asked_at_s - answered_age_s,
        account=row["account"],
    )
