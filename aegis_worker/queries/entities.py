"""Captures, cancels, refunds and disputes as they stand: one of them, those of a payment, or those of an owner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar, cast

from msgspec import Struct
from sqlalchemy import Connection, Table, select

from aegis_worker.domain.disputes import Dispute
from aegis_worker.domain.entities import Entity, EntityKind
from aegis_worker.domain.modes import Owner
from aegis_worker.ids import CAPTURE, DISPUTE, REFUND, VOID
from aegis_worker.persistence.dispute_rows import dispute_from_row
from aegis_worker.persistence.entity_rows import entity_from_row
from aegis_worker.persistence.tables.entities import TABLE_OF, disputes

from .page import Page, created_before, created_since, newest_first, of_owner

T = TypeVar("T")


class StoredEntity(Struct, frozen=True):
    """A capture, cancel or refund with the times of its row."""

    entity: Entity
    created_at: datetime
    updated_at: datetime


class StoredDispute(Struct, frozen=True):
    """A dispute with the times of its row."""

    dispute: Dispute
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Shelf(Generic[T]):
    """Where entities of one kind stand: their table, how their ids begin, and how a row is read."""

    table: Table
    prefix: str
    stored: Callable[[Mapping[str, Any]], T]


class EntityFilters(Struct, frozen=True):
    """What to list; None leaves a condition out. Bounds as the names say."""

    payment_id: str | None = None
    status: str | None = None
    gateway: str | None = None
    created_gte: datetime | None = None
    created_lt: datetime | None = None


def _stored_entity(row: Mapping[str, Any], kind: EntityKind) -> StoredEntity:
    return StoredEntity(entity_from_row(kind, row), row["created_at"], row["updated_at"])


def _stored_dispute(row: Mapping[str, Any]) -> StoredDispute:
    return StoredDispute(dispute_from_row(row), row["created_at"], row["updated_at"])


_PREFIX_OF = {EntityKind.CAPTURE: CAPTURE, EntityKind.VOID: VOID, EntityKind.REFUND: REFUND}
ORDERED: Mapping[EntityKind, Shelf[StoredEntity]] = {
    kind: Shelf(TABLE_OF[kind], prefix, partial(_stored_entity, kind=kind))
    for kind, prefix in _PREFIX_OF.items()
}
"""What merchants order."""
DISPUTES = Shelf(disputes, DISPUTE, _stored_dispute)


def get_one(connection: Connection, shelf: Shelf[T], owner: Owner | None, entity_id: str) -> T | None:
    """One of them, or None where this owner has none with that id."""
    table = shelf.table
    statement = of_owner(select(table).where(table.c.id == entity_id), table, owner)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else shelf.stored(cast("Mapping[str, Any]", row))


def list_some(
    connection: Connection,
    shelf: Shelf[T],
    owner: Owner | None,
    filters: EntityFilters,
    *,
    limit: int,
    starting_after: str | None = None,
) -> Page[T]:
    """Those that meet every filter, newest first."""
    table = shelf.table
    statement = of_owner(select(table), table, owner)
    for name in ("payment_id", "status", "gateway"):
        value = getattr(filters, name)
        if value is not None:
            statement = statement.where(table.c[name] == value)
    if filters.created_gte is not None:
        statement = statement.where(created_since(table, shelf.prefix, filters.created_gte))
    if filters.created_lt is not None:
        statement = statement.where(created_before(table, shelf.prefix, filters.created_lt))
    return newest_first(
        connection, statement, table.c.id, shelf.stored, limit=limit, starting_after=starting_after
    )


def list_to_answer(connection: Connection, *, limit: int) -> list[StoredDispute]:
    """The disputes of everybody that wait for evidence, the next deadline first."""
    waits = disputes.c.status.in_(("warning", "needs_response"))
    statement = select(disputes).where(waits).order_by(disputes.c.respond_by, disputes.c.id).limit(limit)
    return [DISPUTES.stored(dict(row)) for row in connection.execute(statement).mappings()]
