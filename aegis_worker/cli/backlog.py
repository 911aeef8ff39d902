"""Webhook deliveries of all merchants, for operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from aegis_worker.ids import event_id
from aegis_worker.persistence.tables.delivery import webhook_deliveries
from aegis_worker.queries.page import newest_first


def deliveries(
    connection: Connection, *, merchant_id: str | None, status: str | None, payment_id: str | None, limit: int
) -> list[dict[str, Any]]:
    """The newest deliveries that meet every condition, each with its event's id and its last error."""
    columns = webhook_deliveries.c
    statement = select(webhook_deliveries)
    if merchant_id is not None:
        statement = statement.where(columns.merchant_id == merchant_id)
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
