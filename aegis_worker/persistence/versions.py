"""Configurations that operators put in place while everything runs: numbered from 1 without gaps, never changed.

The newest holds; one without a document says that the installation's file holds again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, null, select

from aegis_worker.errors import Refused

from . import audit_log
from .database import Database


@dataclass(frozen=True, slots=True)
class Version:
    """One configuration, who put it and why. Without a document it says that the file holds again."""

    version: int
    document: Mapping[str, Any] | None
    actor: str
    reason: str
    created_at: datetime


class Versions:
    """The versions in one table. `action` names a change in the audit log; `moved` is raised where another holds.

    `read`: a document as code of now has it, for one that was put by code of before.
    """

    def __init__(
        self,
        table: Table,
        action: str,
        moved: type[Refused],
        read: Callable[[Any], Any] = lambda document: document,
    ) -> None:
        self._table, self._action, self._moved, self._read = table, action, moved, read

    def newest_version(self, connection: Connection) -> Version | None:
        """The version that holds now, or None if nothing was ever put."""
        found = self.history(connection, limit=1)
        return found[0] if found else None

    def numbered(self, connection: Connection, version: int) -> Version | None:
        """The version of this number, or None if there is none."""
        found = self.history(connection, limit=1, before_version=version + 1)
        return found[0] if found and found[0].version == version else None

    def history(
        self, connection: Connection, *, limit: int, before_version: int | None = None
    ) -> Sequence[Version]:
        """Versions, newest first."""
        table = self._table
        statement = select(table).order_by(table.c.version.desc()).limit(limit)
        if before_version is not None:
            statement = statement.where(table.c.version < before_version)
        found = [Version(**row) for row in connection.execute(statement).mappings()]
        return [replace(version, document=self._read(version.document)) for version in found]

    def one_at_a_time(self, connection: Connection) -> None:
        """Keep other transactions from adding a version until this one ends; reading goes on."""
        connection.exec_driver_sql(f"LOCK TABLE {self._table.name} IN SHARE ROW EXCLUSIVE MODE")

    def add(
        self,
        connection: Connection,
        version: int,
        document: Mapping[str, Any] | None,
        *,
        actor: str,
        reason: str,
    ) -> Version:
        """Write a version."""
        row = {
            "version": version,
            "document": null() if document is None else dict(document),
            "actor": actor,
            "reason": reason,
        }
        written = connection.execute(self._table.insert().values(row).returning(self._table))
        return Version(**written.mappings().one())

    def put(
        self,
        database: Database,
        document: Mapping[str, Any] | None,
        *,
        actor: str,
        reason: str,
        expected_version: int | None = None,
    ) -> Version | None:
        """Have a document hold from now on, or the file where it is None: the version that holds then.

        Where it holds already nothing is written, so that putting again what was put is harmless; None: the file holds, and
        nothing was ever put. Raises what `moved` says where another version holds than the expected one; InvalidReason;
        DatabaseUnavailable.
        """
        reason = audit_log.checked_reason(reason)
        document = None if document is None else json.loads(json.dumps(document))

        def change(tx: Connection) -> Version | None:
            self.one_at_a_time(tx)
            held = self.newest_version(tx)
            if document == (held and held.document):
                return held
            version = held.version if held else 0
            if expected_version not in (None, version):
                raise self._moved(f"Version {version} holds now: look at it, and decide again.")
            added = self.add(tx, version + 1, document, actor=actor, reason=reason)
            details = {
                "version": added.version,
                "source": "file" if document is None else "put",
                "sha256": None if document is None else _sha256(document),
                "reason": reason,
            }
            audit_log.append(tx, actor=actor, action=self._action, details=details)
            return added

        return database.run(change)


def _sha256(document: Mapping[str, Any]) -> str:
    """Of the canonical JSON: the audit log takes no fractions, and this says which document it was."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
