"""Rows of `webhook_endpoints`. Their secrets are derived, never stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping

from aegis_worker.domain.modes import Mode, Owner
from aegis_worker.domain.transitions import EventType

_COLUMNS = "id, merchant_id, mode, url, event_types, secret_version, created_at, resting_until, disabled_at"

# Counting and inserting happen under this lock, so that two requests at once can't both take the last place.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints:' || %(merchant_id)s, 0))"

# If the id exists, this is a repeat of the same INSERT, after a COMMIT whose answer got lost.
_INSERT = f"""
INSERT INTO webhook_endpoints (id, merchant_id, mode, url, event_types)
SELECT %(id)s, %(merchant_id)s, %(mode)s, %(url)s, %(event_types)s::text[]
WHERE (
    SELECT count(*) FROM webhook_endpoints
    WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND disabled_at IS NULL AND id <> %(id)s
) < %(most)s
ON CONFLICT (id) DO UPDATE SET id = excluded.id
RETURNING {_COLUMNS}
"""

_OF_OWNER = f"""
SELECT {_COLUMNS} FROM webhook_endpoints
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND disabled_at IS NULL ORDER BY id LIMIT %(limit)s
"""

# A disabled endpoint never gets its open deliveries. They are cancelled, because nobody can act on them any more.
_DISABLE = """
WITH disabled AS (
    UPDATE webhook_endpoints SET disabled_at = clock_timestamp()
    WHERE id = ANY (%(ids)s::text[]) AND disabled_at IS NULL
        AND (%(merchant_id)s IS NULL OR merchant_id = %(merchant_id)s AND mode = %(mode)s)
    RETURNING id
), waiting AS (
    UPDATE webhook_deliveries
    SET status = 'cancelled', leased = false, lease_epoch = lease_epoch + 1, due_at = statement_timestamp()
    WHERE endpoint_id IN (SELECT id FROM disabled) AND status = 'pending'
), given_up AS (
    UPDATE webhook_deliveries SET status = 'cancelled', due_at = statement_timestamp()
    WHERE endpoint_id IN (SELECT id FROM disabled) AND status = 'dead'
)
SELECT id FROM disabled
"""

_REST = """
UPDATE webhook_endpoints w SET resting_until = statement_timestamp() + make_interval(secs => r.rest_s)
FROM unnest(%(ids)s::text[], %(rests_s)s::float8[]) AS r(id, rest_s) WHERE w.id = r.id
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a merchant's events of one mode are posted. No `event_types` mean all.

    `resting_until` is set if it didn't answer.
    """

    id: str
    merchant_id: str
    mode: Mode
    url: str
    event_types: tuple[EventType, ...]
    secret_version: int
    created_at: datetime
    resting_until: datetime | None
    disabled_at: datetime | None


def insert(
    connection: Connection,
    *,
    id: str,
    owner: Owner,
    url: str,
    event_types: Sequence[EventType],
    most: int,
) -> Endpoint | None:
    """Add an endpoint; None when the owner already has `most` active ones."""
    connection.exec_driver_sql(_LOCK, {"merchant_id": owner.merchant_id})
    parameters = {
        "id": id,
        **owner._asdict(),
        "url": url,
        "event_types": list(event_types),
        "most": most,
    }
    row = connection.exec_driver_sql(_INSERT, parameters).mappings().one_or_none()
    return _endpoint(row) if row is not None else None


def of_owner(connection: Connection, owner: Owner, *, limit: int) -> list[Endpoint]:
    """The owner's active endpoints, oldest first."""
    rows = connection.exec_driver_sql(_OF_OWNER, {**owner._asdict(), "limit": limit}).mappings()
    return [_endpoint(row) for row in rows]


def disable(connection: Connection, ids: Sequence[str], *, owner: Owner | None = None) -> list[str]:
    """Disable active endpoints (of one owner, if given) and cancel their open deliveries; returns the disabled ids."""
    whose = {"merchant_id": None, "mode": None} if owner is None else owner._asdict()
    return list(connection.exec_driver_sql(_DISABLE, {"ids": list(ids), **whose}).scalars())


def rest(connection: Connection, rests_s: Mapping[str, float]) -> None:
    """Claim nothing for these endpoints for so many seconds."""
    connection.exec_driver_sql(_REST, {"ids": list(rests_s), "rests_s": list(rests_s.values())})


def _endpoint(row: RowMapping) -> Endpoint:
    return Endpoint(**{**row, "event_types": tuple(EventType(name) for name in row["event_types"])})
