"""Hot statements that PostgreSQL parses and plans once for each connection, not once for each call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult


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
        known: set[str] = connection.info.setdefault("prepared", set())
        if self.name not in known:
            # PREPARE outlives a rollback, so a name that is known stays known as long as its connection.
            connection.exec_driver_sql(f"PREPARE {self.name} ({self.types}) AS {self.sql}")
            known.add(self.name)
        places = ", ".join(["%s"] * len(values))
        return connection.exec_driver_sql(f"EXECUTE {self.name} ({places})", values)
