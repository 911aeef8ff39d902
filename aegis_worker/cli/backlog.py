"""Webhook deliveries over all merchants, as an operator looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

from sqlalchemy import Connection, select

from aegis_worker.ids import DELIVERY, event_id, first_id_at
from aegis_worker.persistence.tables import webhook_deliveries
from aegis_worker.queries.page import newest_first, of_merchant

DEAD_WITHIN_D = 7

# The pending ones have an index of their own; the dead ones don't, so only the latest ids are looked through.
_BACKLOG = """
SELECT (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending') AS pending,
    (SELECT count(*) FROM webhook_deliveries WHERE status = 'dead' AND id >= %(after)s) AS dead
"""


class Backlog(TypedDict):
    """Deliveries that are still to be made, and those of the last 7 days that were given up."""

    pending: int
    dead: int


def backlog(connection: Connection) -> Backlog:
    """Counts rows: for people and monitors, not for a hot path."""
    after = first_id_at(DELIVERY, datetime.now(UTC) - timedelta(days=DEAD_WITHIN_D))
    row = connection.exec_driver_sql(_BACKLOG, {"after": after}).one()
    return Backlog(pending=row.pending, dead=row.dead)


def deliveries(
    connection: Connection, *, merchant_id: str | None, status: str | None, payment_id: str | None, limit: int
) -> list[dict[str, Any]]:
    """The newest deliveries that meet every condition, each with its event's id and its last error."""
    columns = webhook_deliveries.c
    statement = of_merchant(select(webhook_deliveries), webhook_deliveries, merchant_id)
    if status is not None:
        statement = statement.where(columns.status == status)
    if payment_id is not None:
        statement = statement.where(columns.payment_id == payment_id)
    return list(
        newest_first(connection, statement, columns.id, _shown, limit=limit, starting_after=None).rows
    )


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    last = row["log"][-1] if row["log"] else {}
    return {
        "id": row["id"],
        "event_id": event_id(row["payment_id"], row["seq"]),
        "payment_id": row["payment_id"],
        "seq": row["seq"],
        "merchant_id": row["merchant_id"],
        "endpoint_id": row["endpoint_id"],
        "status": row["status"],
        "tries": row["tries"],
        "last_error": last.get("error"),
        "due_at": row["due_at"] if row["status"] == "pending" else None,
        "created_at": row["created_at"],
        "delivered_at": row["delivered_at"],
    }
