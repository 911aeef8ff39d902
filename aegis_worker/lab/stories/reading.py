"""What a story reads of PostgreSQL."""

from __future__ import annotations

from sqlalchemy import Connection

from aegis_worker.domain.payment import Event
from aegis_worker.domain.transitions import EventType


def events_of(connection: Connection, payment_id: str) -> list[Event]:
    """The payment's events, from the first one on."""
    rows = connection.exec_driver_sql(
        "SELECT seq, type, data FROM payment_events WHERE payment_id = %(id)s ORDER BY seq LIMIT 10000",
        {"id": payment_id},
    )
    return [Event(payment_id, row.seq, EventType(row.type), row.data) for row in rows]
