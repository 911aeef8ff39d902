"""Routing configurations that operators put in place, and the gateways that are paused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from aegis_worker.errors import RoutingMoved
from aegis_worker.matching.old_names import renewed

from .prepared import Prepared
from .tables.oversight import gateway_pauses, routing_versions
from .versions import Versions

VERSIONS = Versions(routing_versions, "routing.changed", RoutingMoved, read=renewed)
"""Operators that had another name when a version was put have the name of now."""


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
