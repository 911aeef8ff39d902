"""Webhook deliveries as their merchant sees them: listed, and delivered again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.transitions import EventType

from .delivery_rows import Status

_LIST = """
SELECT id, endpoint_id, payment_id, seq, status, tries, due_at, created_at, delivered_at, log
FROM webhook_deliveries
WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s
    AND (%(payment_id)s IS NULL OR payment_id = %(payment_id)s)
    AND (%(status)s IS NULL OR status = %(status)s)
    AND (%(starting_after)s IS NULL OR id < %(starting_after)s)
ORDER BY id DESC LIMIT %(limit)s
"""

# An event that isn't fanned out yet gets no deliveries here, because they would overtake those of earlier events.
_ADD_MISSING = """
INSERT INTO webhook_deliveries (id, payment_id, seq, endpoint_id, merchant_id, mode)
SELECT 'whd_' || replace(uuidv7()::text, '-', ''), e.payment_id, e.seq, w.id, w.merchant_id, w.mode
FROM payment_events e JOIN webhook_endpoints w ON w.merchant_id = %(merchant_id)s
    AND w.mode = %(mode)s AND w.disabled_at IS NULL
WHERE e.payment_id = %(payment_id)s AND e.seq = %(seq)s
    AND (w.event_types = '{}' OR e.type = ANY (w.event_types))
    AND NOT EXISTS (
        SELECT FROM outbox o WHERE o.payment_id = e.payment_id AND o.seq <= e.seq AND NOT o.fanned_out)
ON CONFLICT (payment_id, seq, endpoint_id) DO NOTHING
"""

# Raising the fence drops the result of a worker that still holds the old claim. Earlier pending deliveries of the payment
# become due as well, because this one waits for them. An endpoint that rests is tried again.
_REVIVE = """
WITH awake AS (
    UPDATE webhook_endpoints SET resting_until = NULL
    WHERE merchant_id = %(merchant_id)s AND mode = %(mode)s AND disabled_at IS NULL AND resting_until IS NOT NULL
), again AS (
    UPDATE webhook_deliveries d
    SET status = 'pending', due_at = statement_timestamp(), leased = false, lease_epoch = d.lease_epoch + 1,
        tries = CASE WHEN d.seq = %(seq)s THEN 0 ELSE d.tries END,
        delivered_at = NULL
    FROM webhook_endpoints w
    WHERE d.payment_id = %(payment_id)s AND d.merchant_id = %(merchant_id)s
        AND (d.seq = %(seq)s OR d.seq < %(seq)s AND d.status = 'pending')
        AND w.id = d.endpoint_id AND w.mode = %(mode)s AND w.disabled_at IS NULL
        AND (d.seq < %(seq)s OR w.event_types = '{}' OR EXISTS (
            SELECT FROM payment_events e
            WHERE e.payment_id = d.payment_id AND e.seq = d.seq AND e.type = ANY (w.event_types)))
    RETURNING d.seq
)
SELECT count(*) FROM again WHERE seq = %(seq)s
"""

_EXISTS = """
SELECT EXISTS (
    SELECT FROM payment_events e JOIN payments p ON p.id = e.payment_id
    WHERE e.payment_id = %(payment_id)s AND e.seq = %(seq)s AND p.merchant_id = %(merchant_id)s
        AND p.mode = %(mode)s)
"""

_WANTED_BY_NOBODY = """
SELECT e.type, count(w.id) AS active,
    count(w.id) FILTER (WHERE w.event_types = '{}' OR e.type = ANY (w.event_types)) AS wanting
FROM payment_events e LEFT JOIN webhook_endpoints w ON w.merchant_id = %(merchant_id)s
    AND w.mode = %(mode)s AND w.disabled_at IS NULL
WHERE e.payment_id = %(payment_id)s AND e.seq = %(seq)s GROUP BY e.type
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as its merchant sees it. `log`: `at, status_code, error, duration_ms` of each try, newest last."""

    id: str
    endpoint_id: str
    payment_id: str
    seq: int
    status: Status
    tries: int
    due_at: datetime
    created_at: datetime
    delivered_at: datetime | None
    log: Sequence[Mapping[str, Any]]


def of_owner(
    connection: Connection,
    owner: Owner,
    *,
    payment_id: str | None,
    status: str | None,
    limit: int,
    starting_after: str | None,
) -> list[Delivery]:
    """The owner's deliveries, newest first, after the one with the id `starting_after`."""
    parameters = {
        **owner._asdict(),
        "payment_id": payment_id,
        "status": status,
        "starting_after": starting_after,
        "limit": limit,
    }
    return [Delivery(**row) for row in connection.exec_driver_sql(_LIST, parameters).mappings()]


def deliver_again(connection: Connection, owner: Owner, payment_id: str, seq: int) -> int | None:
    """Make every delivery of one event pending and due, to each active endpoint that wants it; returns how many.

    None when the owner has no such event.
    """
    parameters = {**owner._asdict(), "payment_id": payment_id, "seq": seq}
    if not connection.exec_driver_sql(_EXISTS, parameters).scalar_one():
        return None
    connection.exec_driver_sql(_ADD_MISSING, parameters)
    return int(connection.exec_driver_sql(_REVIVE, parameters).scalar_one())


def nobody_because(connection: Connection, owner: Owner, payment_id: str, seq: int) -> str:
    """Why `deliver_again` made nothing due, in a sentence."""
    parameters = {**owner._asdict(), "payment_id": payment_id, "seq": seq}
    found = connection.exec_driver_sql(_WANTED_BY_NOBODY, parameters).one()
    if not found.active:
        return f"The merchant has no active webhook endpoint for {owner.mode} payments: nothing is posted."
    if not found.wanting:
        type_ = EventType(found.type).wire
        of_mode = f"active webhook endpoints for {owner.mode} payments"
        return f"None of the merchant's {of_mode} wants {type_}: nothing is posted."
    return (
        "The event has not been posted for the first time yet: it goes out by itself, after those before it."
    )
