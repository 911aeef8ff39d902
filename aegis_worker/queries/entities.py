"""Captures and refunds as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from aegis_worker.domain.entities import Entity, EntityKind
from aegis_worker.domain.modes import Owner
from aegis_worker.persistence.entity_rows import entity_from_row
from aegis_worker.persistence.tables.entities import TABLE_OF

from .page import Page, newest_first, of_owner


class StoredEntity(Struct, frozen=True):
    """A capture or refund with the times of its row."""

    entity: Entity
    created_at: datetime
    updated_at: datetime


def get_entity(
    connection: Connection, kind: EntityKind, owner: Owner | None, entity_id: str
) -> StoredEntity | None:
    """One of them, or None where this owner has none with that id."""
    table = TABLE_OF[kind]
    statement = of_owner(select(table).where(table.c.id == entity_id), table, owner)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _stored(kind, dict(row))


def list_entities(
    connection: Connection,
    kind: EntityKind,
    owner: Owner | None,
    payment_id: str,
    *,
    limit: int,
    starting_after: str | None = None,
) -> Page[StoredEntity]:
    """Those of one payment, newest first."""
    table = TABLE_OF[kind]
    statement = of_owner(select(table).where(table.c.payment_id == payment_id), table, owner)
    return newest_first(
        connection,
        statement,
        table.c.id,
        lambda row: _stored(kind, row),
        limit=limit,
        starting_after=starting_after,
    )


def _stored(kind: EntityKind, row: Mapping[str, Any]) -> StoredEntity:
    return StoredEntity(entity_from_row(kind, row), row["created_at"], row["updated_at"])
