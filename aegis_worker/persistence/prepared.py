"""Hot statements that PostgreSQL parses once for each connection and plans twice a second at most, not for each call."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as DriverConnection
from sqlalchemy import Connection, CursorResult

# A plan is for tables of the size that they had then. One made while they were empty reads them from end to end, and would
# go on doing so: a table fills up long before autovacuum looks at it and has the plan made anew.
_PLANS_HOLD_S = 0.5


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with the parameters `$1` and so on, of the given `types`. One plan serves whatever their values are.

    A list goes in as one JSON document: then it may be of any length. The name is known to one session of PostgreSQL: a
    pooler in between must keep a session to a client.
    """

    name: str
    sql: str
    types: str = "json"

    def execute(self, connection: Connection, *values: Any) -> CursorResult[Any]:
        """Run it, having the connection's session prepare it first where it hasn't yet."""
        self._prepare_once(connection.info, connection.exec_driver_sql)
        return connection.exec_driver_sql(self._call(connection.info, values), values)

    def run_alone(
        self,
        connection: DriverConnection,
        info: MutableMapping[Any, Any],
        *values: Any,
        lock_timeout_ms: int | None,
    ) -> list[tuple[Any, ...]]:
        """Run it in a transaction by itself, in one round trip: committed when this returns. Raises psycopg2.Error.

        `info` lasts as long as the connection does.
        """
        # What is sent in one go is one transaction, so the timeout is for this statement alone.
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
            # PREPARE outlives a rollback, so a name that is known stays known as long as its connection.
            known.add(self.name)

    def _call(self, info: MutableMapping[Any, Any], values: tuple[Any, ...]) -> str:
        call = f"EXECUTE {self.name} ({', '.join(['%s'] * len(values))})"
        now_s = time.monotonic()
        if now_s < info.get("plans_hold_until_s", 0.0):
            return call
        info["plans_hold_until_s"] = now_s + _PLANS_HOLD_S
        return f"DISCARD PLANS; {call}"
