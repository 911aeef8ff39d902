"""Rows of `unverified_webhooks`: sealed, few, and gone within a day.

`due_at`: when a worker is to verify the webhook. A worker that claims it puts it off for the time that it may take.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection

from aegis_worker.ids import EVENT_BODY, new_id
from aegis_worker.sealing.ring import KeyRing, key_id_of

_PLACE = "unverified_webhooks"
_LEASE_S = 60.0

# Two that come at once may be one too many: the bound is there for the disk, and needs not be exact.
_ADD = """
INSERT INTO unverified_webhooks (id, gateway, key_id, sealed)
SELECT %(id)s, %(gateway)s, %(key_id)s, %(sealed)s
WHERE (SELECT count(*) FROM unverified_webhooks WHERE gateway = %(gateway)s) < %(most)s
"""

_CLAIM = """
UPDATE unverified_webhooks u
SET due_at = statement_timestamp() + make_interval(secs => %(lease_s)s)
FROM (SELECT id FROM unverified_webhooks WHERE due_at <= statement_timestamp()
      ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) due
WHERE u.id = due.id
RETURNING u.id, u.gateway, u.sealed, u.received_at, u.due_at::text AS claimed_until
"""

_FORGET = "DELETE FROM unverified_webhooks WHERE id = %(id)s AND due_at = %(claimed_until)s::timestamptz"


class Unverified(Struct, frozen=True):
    """A webhook that this worker verifies until `claimed_until`."""

    id: str
    gateway: str
    sealed: bytes
    received_at: datetime
    claimed_until: str


def add(connection: Connection, *, ring: KeyRing, gateway: str, content: bytes, most: int) -> bool:
    """Keep a webhook, unless `most` of its gateway wait already. Returns whether it is kept."""
    id_ = new_id(EVENT_BODY)
    sealed = ring.seal(content, _PLACE, id_)
    names = {"id": id_, "gateway": gateway, "key_id": key_id_of(sealed), "sealed": sealed, "most": most}
    return connection.exec_driver_sql(_ADD, names).rowcount > 0


def claim(connection: Connection, *, limit: int) -> list[Unverified]:
    """Claim up to `limit` that are due, each for a minute."""
    rows = connection.exec_driver_sql(_CLAIM, {"limit": limit, "lease_s": _LEASE_S})
    return [
        Unverified(row.id, row.gateway, bytes(row.sealed), row.received_at, row.claimed_until) for row in rows
    ]


def content_of(ring: KeyRing, one: Unverified) -> bytes:
    """What was kept. Raises CannotUnseal."""
    return ring.unseal(one.sealed, _PLACE, one.id)


def forget(connection: Connection, *, one: Unverified) -> bool:
    """Delete it, if it is still this worker's. Returns whether it was."""
    names = {"id": one.id, "claimed_until": one.claimed_until}
    return connection.exec_driver_sql(_FORGET, names).rowcount > 0
