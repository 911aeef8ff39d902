"""The rows that statements really read: before a statement runs, EXPLAIN (ANALYZE) runs it and it is rolled back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event

# Commands before a statement in the same round trip stay before EXPLAIN.
_STATEMENT = re.compile(
    r"\s*((?:(?:DISCARD|SET)[^;]*;\s*)*)((?:SELECT|INSERT|UPDATE|DELETE|WITH|EXECUTE)\b.*)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan of one table by one statement: its kind, its index, and the number of rows that it looked at in all."""

    node: str
    table: str
    index: str | None
    looked_at: int
    statement: str


@contextmanager
def scans_of(engine: Engine) -> Iterator[list[Scan]]:
    """Every scan of every statement that the engine runs during the block."""
    found: list[Scan] = []

    def look(_: Connection, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
        asked = _STATEMENT.match(statement)
        if asked is None:
            return
        cursor.execute("SAVEPOINT before_it")
        cursor.execute(f"{asked[1]}EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {asked[2]}", parameters)
        ((plans,),) = cursor.fetchall()
        cursor.execute("ROLLBACK TO SAVEPOINT before_it")
        plan = (json.loads(plans) if isinstance(plans, str) else plans)[0]["Plan"]
        found.extend(_scans(plan, " ".join(asked[2].split())))

    event.listen(engine, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", look)


def _scans(plan: Mapping[str, Any], statement: str, index: str | None = None) -> Iterator[Scan]:
    index = plan.get("Index Name", index)
    parts = plan.get("Plans", ())
    if "Relation Name" in plan and plan["Node Type"].endswith("Scan"):
        rows = sum(plan.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter"))
        rows += plan.get("Rows Removed by Index Recheck", 0)
        index = index or next((part.get("Index Name") for part in parts), None)
        looked_at = round(rows * plan["Actual Loops"])
        yield Scan(plan["Node Type"], plan["Relation Name"], index, looked_at, statement)
    for part in parts:
        yield from _scans(part, statement)
