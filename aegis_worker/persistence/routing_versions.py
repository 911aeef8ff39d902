"""Routing configurations that operators put in place, numbered from 1 without gaps, never changed. The newest holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, null, select

from aegis_worker.matching.old_names import renewed

from .prepared import Prepared
from .tables.oversight import gateway_pauses, routing_versions


@dataclass(frozen=True, slots=True)
class RoutingVersion:
    """One configuration, who put it and why. Without a document it says that config/routing.toml holds again.

    Operators that had another name when it was put have the name of now.
    """

    version: int
    document: Mapping[str, Any] | None
    actor: str
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest version; 0 if nothing was ever put. `document` is None if the caller knew that version already."""

    version: int
    document: Mapping[str, Any] | None
    paused: frozenset[str]


_NEWEST = Prepared(
    "routing_newest",
    f"""
    SELECT coalesce(newest.version, 0), CASE WHEN newest.version <> $1 THEN newest.document END,
        ARRAY(SELECT gateway FROM {gateway_pauses.name} ORDER BY gateway LIMIT 1000)
    FROM (VALUES (1)) one LEFT JOIN LATERAL (
        SELECT version, document FROM {routing_versions.name} ORDER BY version DESC LIMIT 1
    ) newest ON true
    """,
    types="int",
)


def newest(connection: Connection, known_version: int) -> Newest:
    """The version that holds now, in one round trip, because every process asks every two seconds."""
    row: Any = _NEWEST.execute(connection, known_version).one()
    return Newest(row[0], renewed(row[1]), frozenset(row[2]))


def newest_version(connection: Connection) -> RoutingVersion | None:
    """The version that holds now, or None if nothing was ever put."""
    found = history(connection, limit=1)
    return found[0] if found else None


def history(
    connection: Connection, *, limit: int, before_version: int | None = None
) -> Sequence[RoutingVersion]:
    """Versions, newest first."""
    statement = select(routing_versions).order_by(routing_versions.c.version.desc()).limit(limit)
    if before_version is not None:
        statement = statement.where(routing_versions.c.version < before_version)
    found = [RoutingVersion(**row) for row in connection.execute(statement).mappings()]
    return [replace(version, document=renewed(version.document)) for version in found]


def one_at_a_time(connection: Connection) -> None:
    """Keep other transactions from adding a version until this one ends; reading goes on."""
    connection.exec_driver_sql(f"LOCK TABLE {routing_versions.name} IN SHARE ROW EXCLUSIVE MODE")


def add(
    connection: Connection, version: int, document: Mapping[str, Any] | None, *, actor: str, reason: str
) -> RoutingVersion:
    """Write a version."""
    row = {
        "version": version,
        "document": null() if document is None else dict(document),
        "actor": actor,
        "reason": reason,
    }
    written = connection.execute(routing_versions.insert().values(row).returning(routing_versions))
    return RoutingVersion(**written.mappings().one())
