"""Hot statements, which PostgreSQL parses once for each connection and plans at most every five seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as DriverConnection
from sqlalchemy import Connection, CursorResult

# A plan suits the size that the tables had when it was made. Autovacuum has it made anew only long after a table has filled
# up, so it is bounded here. The bound is not shorter, because planning the hot statements takes PostgreSQL 5 ms.
_PLANS_HOLD_S = 5.0

# Whatever PostgreSQL believes about the size of a table that is empty one minute and full the next, a hot statement takes
# the first rows of an index, and looks each of its batch up by its key. It must not read all of a table to sort or join it.
#
# That leaves one such plan: go through all of an index, and look each of its rows up in the batch. PostgreSQL considers it
# where the order of the index fits a join's `=`, and where a condition implies the index's WHERE. So a key is joined by
# `= ANY (ARRAY[key])`, which looks rows up and needs no order, and a condition of an index is written so that it does not
# imply it.
ROW_BY_ROW = "; ".join(
    f"SET LOCAL enable_{way} = off" for way in ("seqscan", "bitmapscan", "mergejoin", "hashjoin", "sort")
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with the parameters `$1` and so on, of the given `types`. One plan serves whatever their values are.

    `before`: commands that are sent before the statement, in its transaction, such as ROW_BY_ROW. A list of rows goes in as
    one JSON document, so that it may be of any length. Each session of PostgreSQL knows only the names that it prepared
    itself, so a pooler in between must keep a session to a client.
    """

    name: str
    sql: str
    types: str = "json"
    before: str | None = None

    def execute(self, connection: Connection, *values: Any) -> CursorResult[Any]:
        """Run the statement; the connection's session prepares it first if it hasn't yet."""
        self._prepare_once(connection.info, connection.exec_driver_sql)
        return connection.exec_driver_sql(self._call(connection.info, values), values)

    def run_alone(
        self,
        connection: DriverConnection,
        info: MutableMapping[Any, Any],
        *values: Any,
        lock_timeout_ms: int | None,
    ) -> list[tuple[Any, ...]]:
        """Run the statement in a transaction of its own, in one round trip; it is committed when this returns.

        `info` lasts as long as the connection does. Raises psycopg2.Error.
        """
        # Statements that are sent together are one transaction, so the timeout holds for this statement only.
        timeout = "" if lock_timeout_ms is None else f"SET LOCAL lock_timeout = {lock_timeout_ms:d}; "
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                self._prepare_once(info, cursor.execute)
                cursor.execute(timeout + self._call(info, values), values)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
                return rows
        finally:
            if not connection.closed:
                connection.autocommit = False

    def _prepare_once(self, info: MutableMapping[Any, Any], execute: Callable[[str], object]) -> None:
        known: set[str] = info.setdefault("prepared", set())
        if self.name not in known:
            execute(f"PREPARE {self.name} ({self.types}) AS {self.sql}")
            # PREPARE outlives a rollback, so a prepared name stays valid as long as its connection.
            known.add(self.name)

    def _call(self, info: MutableMapping[Any, Any], values: tuple[Any, ...]) -> str:
        call = f"EXECUTE {self.name} ({', '.join(['%s'] * len(values))})"
        if self.before is not None:
            call = f"{self.before}; {call}"
        now_s = time.monotonic()
        if now_s < info.get("plans_hold_until_s", 0.0):
            return call
        info["plans_hold_until_s"] = now_s + _PLANS_HOLD_S
        return f"DISCARD PLANS; {call}"
