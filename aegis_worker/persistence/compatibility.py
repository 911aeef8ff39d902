"""Whether this code can work with the database's schema: with its own, or with a newer one that still serves it.

Each migration says in `oldest_code` the newest migration that code must know to work after it. That is its own number if
older code would fail or do wrong. Migrating writes this into the database, where older code, which doesn't know the
migration, can read it. So processes of the last version stay ready after the next version's migration has run.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from sqlalchemy import Connection, text

from aegis_worker.errors import SchemaUnfit

from .database import Database
from .revisions import chain, current_revision
from .whereabouts import not_seen_because

_HOLDS_S = 10.0

IS_SAID = text("SELECT to_regclass('schema_compatibility') IS NOT NULL")
_READ = text("SELECT oldest_code FROM schema_compatibility WHERE revision = :revision")


@dataclass(frozen=True, slots=True)
class Fit:
    """How well the schema at `revision` (None: there is no schema) suits this code.

    `seen` and `advice` are for people. `advice` is empty if `seen` already says what to do.
    """

    revision: str | None
    works: bool
    seen: str
    advice: str = ""


def fit(connection: Connection) -> Fit:
    """Compare the database's schema with what this code knows."""
    current, known = current_revision(connection), chain()
    newest = known[-1]
    if current == newest:
        return Fit(current, True, f"at {current}, the newest")
    if current is None and (why := not_seen_because(connection)):
        return Fit(None, False, f"not to be seen: {why}")
    if current is None or current in known:
        return Fit(
            current, False, f"at {current or 'nothing'}, this version needs {newest}", "run `aegis migrate`"
        )
    oldest = _oldest_code_that_it_serves(connection, current)
    if oldest in known:
        return Fit(current, True, f"at {current}, newer than this version's {newest}, which it still serves")
    needed = f"it serves versions from {oldest} on" if oldest else "it doesn't say which versions it serves"
    return Fit(
        current,
        False,
        f"at {current}, newer than this version's {newest}: {needed}",
        "install the version that migrated it; `aegis migrate` of this one refuses",
    )


class SchemaGuard:
    """Looks now and then whether the schema is one that this code can work with."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._holds_until_s = 0.0

    def check(self) -> None:
        """Raise SchemaUnfit if this code can't work with the schema of 10 s ago at most. Raises DatabaseUnavailable."""
        with self._lock:
            if time.monotonic() < self._holds_until_s:
                return
            require_fit(self._database)
            self._holds_until_s = time.monotonic() + _HOLDS_S


def require_fit(database: Database) -> None:
    """Raise SchemaUnfit if this code can't work with the schema. Raises DatabaseUnavailable."""
    with database.read() as connection:
        found = fit(connection)
    if not found.works:
        raise SchemaUnfit("; ".join(filter(None, (f"the database's schema is {found.seen}", found.advice))))


def _oldest_code_that_it_serves(connection: Connection, revision: str) -> str | None:
    if not connection.execute(IS_SAID).scalar():
        return None
    oldest: str | None = connection.execute(_READ, {"revision": revision}).scalar()
    return oldest
