"""The revisions of the schema that this code knows, and the one that a database is at, without Alembic.

Every process asks for both as it starts, and importing Alembic takes longer than most commands run.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, text

_VERSIONS = Path(__file__).parent / "migrations" / "versions"
_OF_FILE = re.compile(r"m(\d{4})_\w+\.py")

_IS_MIGRATED = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_CURRENT = text("SELECT version_num FROM alembic_version")


@cache
def chain() -> tuple[str, ...]:
    """The revisions that this code knows, the oldest first. The files of the migrations are named by them."""
    files = (_OF_FILE.fullmatch(file.name) for file in _VERSIONS.iterdir())
    return tuple(sorted(file[1] for file in files if file))


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    if not connection.execute(_IS_MIGRATED).scalar():
        return None
    revision: str | None = connection.execute(_CURRENT).scalar()
    return revision
