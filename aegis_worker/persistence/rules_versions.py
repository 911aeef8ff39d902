"""Rules that operators put in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from aegis_worker.errors import RulesMoved

from .prepared import Prepared
from .tables.oversight import rules_versions
from .versions import Versions

VERSIONS = Versions(rules_versions, "rules.changed", RulesMoved)

_NEWEST = Prepared(
    "rules_newest",
    f"""
    SELECT version, CASE WHEN version <> $1 THEN document END
    FROM {rules_versions.name} ORDER BY version DESC LIMIT 1
    """,
    types="int",
)


def newest(connection: Connection, known_version: int) -> tuple[int, Mapping[str, Any] | None]:
    """The version that holds now, 0 if nothing was ever put, and its document unless the caller knows that version."""
    row: Any = _NEWEST.execute(connection, known_version).one_or_none()
    return (0, None) if row is None else (row[0], row[1])
