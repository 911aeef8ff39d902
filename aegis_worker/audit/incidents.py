"""Incidents: what the audit found, from when to when. One is open per payment, invariant and kind of look."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from aegis_worker.ids import INCIDENT, new_id

from .violations import Looked, Violation

_OPEN = """
INSERT INTO incidents (id, invariant, payment_id, looked, summary, evidence)
SELECT f.id, f.invariant, f.payment_id, %(looked)s, f.summary, f.evidence
FROM json_to_recordset(%(found)s::json) AS f(id text, invariant text, payment_id text, summary text, evidence jsonb)
ON CONFLICT (payment_id, invariant, looked) WHERE resolved_at IS NULL
DO UPDATE SET last_seen_at = clock_timestamp(), summary = excluded.summary, evidence = excluded.evidence
RETURNING id
"""

_RESOLVE = """
UPDATE incidents i SET resolved_at = clock_timestamp()
WHERE resolved_at IS NULL AND looked = %(looked)s AND payment_id = ANY (%(payment_ids)s::text[])
    AND NOT EXISTS (
        SELECT FROM unnest(%(found_payments)s::text[], %(found_invariants)s::text[]) AS f(payment_id, invariant)
        WHERE f.payment_id = i.payment_id AND f.invariant = i.invariant)
"""

# If a key is gone or now leads to another payment, no look would find it under its old payment and resolve its incident.
_RESOLVE_KEYS_GONE = """
UPDATE incidents i SET resolved_at = clock_timestamp()
WHERE resolved_at IS NULL AND looked = 'keys' AND NOT EXISTS (
    SELECT FROM idempotency_keys k
    WHERE k.merchant_id = i.evidence -> 'key' ->> 'merchant_id' AND k.route = i.evidence -> 'key' ->> 'route'
        AND k.key = i.evidence -> 'key' ->> 'key' AND k.payment_id = i.payment_id)
"""

_LIST = """
SELECT id, invariant, payment_id, looked, summary, evidence, found_at, last_seen_at, resolved_at
FROM incidents
WHERE (%(invariant)s IS NULL OR invariant = %(invariant)s)
    AND (%(payment_id)s IS NULL OR payment_id = %(payment_id)s)
    AND (%(is_open)s IS NULL OR (resolved_at IS NULL) = %(is_open)s)
    AND (%(starting_after)s IS NULL OR id < %(starting_after)s)
ORDER BY id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Incident:
    """A violation from when it was first seen until a look at the payment found it gone. Times in UTC."""

    id: str
    invariant: str
    payment_id: str
    looked: Looked
    summary: str
    evidence: Mapping[str, Any]
    found_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None


def write_down(
    connection: Connection, looked: Looked, payment_ids: Sequence[str], found: Sequence[Violation]
) -> tuple[list[str], int]:
    """Open or update incidents for the violations found, and resolve those of checked payments that are fine now.

    Returns the ids of the incidents that are new, and how many were resolved.
    """
    rows = [
        {
            "id": new_id(INCIDENT),
            "invariant": violation.invariant,
            "payment_id": violation.payment_id,
            "summary": violation.summary,
            "evidence": dict(violation.evidence),
        }
        # A page of keys may name the same payment twice.
        for violation in {(each.payment_id, each.invariant): each for each in found}.values()
    ]
    names = {
        "looked": looked,
        "found": json.dumps(rows),
        "payment_ids": list(payment_ids),
        "found_payments": [violation.payment_id for violation in found],
        "found_invariants": [violation.invariant for violation in found],
    }
    resolved = connection.exec_driver_sql(_RESOLVE, names).rowcount if payment_ids else 0
    if looked == "keys":
        resolved += connection.exec_driver_sql(_RESOLVE_KEYS_GONE).rowcount
    if not rows:
        return [], resolved
    given = {row["id"] for row in rows}
    seen = connection.exec_driver_sql(_OPEN, names).scalars()
    return [id_ for id_ in seen if id_ in given], resolved


def list_incidents(
    connection: Connection,
    *,
    invariant: str | None = None,
    payment_id: str | None = None,
    is_open: bool | None = None,
    limit: int,
    starting_after: str | None = None,
) -> list[Incident]:
    """Incidents, newest first, after the one with the id `starting_after`."""
    names = {
        "invariant": invariant,
        "payment_id": payment_id,
        "is_open": is_open,
        "limit": limit,
        "starting_after": starting_after,
    }
    return [Incident(**row) for row in connection.exec_driver_sql(_LIST, names).mappings()]
