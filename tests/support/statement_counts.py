"""The statements that a database is sent, for tests that count or read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from aegis_worker.persistence.database import Database


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """Every statement that goes to PostgreSQL meanwhile."""
    seen: list[str] = []

    def look(*called: Any) -> None:
        seen.append(called[2])

    event.listen(database.engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", look)
