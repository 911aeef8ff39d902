"""Webhook endpoints of all merchants and how deliveries to them stand, for operators. Every look is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection, select

from aegis_worker.domain.transitions import EventType
from aegis_worker.persistence.merchant_deliveries import Delivery
from aegis_worker.persistence.tables.delivery import webhook_deliveries

MOST_COUNTED = 1000

# The deliveries of one endpoint that are pending are the next entries of the index of what is due.
_ENDPOINTS = """
SELECT w.id, w.merchant_id, w.mode, w.url, w.event_types, w.created_at, w.resting_until, w.disabled_at,
    p.pending, p.failing, p.oldest_at
FROM (
    SELECT * FROM webhook_endpoints WHERE id < %(before)s ORDER BY id DESC LIMIT %(limit)s
) w CROSS JOIN LATERAL (
    SELECT count(*) AS pending, count(*) FILTER (WHERE tries > 0) AS failing, min(created_at) AS oldest_at FROM (
        SELECT created_at, tries FROM webhook_deliveries
        WHERE endpoint_id = w.id AND status = 'pending' ORDER BY due_at LIMIT %(most)s
    ) d
) p ORDER BY w.id DESC
"""
_AFTER_ALL_IDS = "~"


class EndpointHealth(Struct, frozen=True):
    """An endpoint and what waits for it: `pending`, and of these `failing` that were tried, each up to MOST_COUNTED."""

    id: str
    merchant_id: str
    mode: str
    url: str
    event_types: tuple[EventType, ...]
    created_at: datetime
    resting_until: datetime | None
    disabled_at: datetime | None
    pending: int
    failing: int
    oldest_at: datetime | None


def list_endpoints(
    connection: Connection, *, limit: int, starting_after: str | None = None
) -> Sequence[EndpointHealth]:
    """Endpoints of all merchants, disabled ones too, newest first."""
    names = {"before": starting_after or _AFTER_ALL_IDS, "limit": limit, "most": MOST_COUNTED}
    rows = connection.exec_driver_sql(_ENDPOINTS, names).mappings()
    return [
        EndpointHealth(**{**row, "event_types": tuple(EventType(name) for name in row["event_types"])})
        for row in rows
    ]


def list_dead(connection: Connection, *, limit: int, starting_after: str | None = None) -> Sequence[Delivery]:
    """Deliveries of all merchants that were given up, newest first."""
    columns = webhook_deliveries.c
    statement = (
        select(*(columns[field.name] for field in fields(Delivery)))
        .where(columns.status == "dead")
        .order_by(columns.id.desc())
        .limit(limit)
    )
    if starting_after is not None:
        statement = statement.where(columns.id < starting_after)
    return [Delivery(**row) for row in connection.execute(statement).mappings()]
