"""Writes into the database which code its schema serves, as each migration states it; see `compatibility`."""

from __future__ import annotations

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from .compatibility import IS_SAID
from .migrate import alembic_config
from .revisions import chain

_SAY = text("INSERT INTO schema_compatibility (revision, oldest_code) VALUES (:revision, :oldest_code)")


def say_which_code_it_serves(connection: Connection, revision: str | None) -> None:
    """Write the oldest code that `revision` serves into the database, unless its schema has no place for that yet."""
    if not connection.execute(IS_SAID).scalar():
        return
    connection.execute(text("DELETE FROM schema_compatibility"))
    if revision is not None:
        connection.execute(_SAY, {"revision": revision, "oldest_code": oldest_code(revision)})


def oldest_code(revision: str) -> str:
    """The newest migration that code must know for the schema at `revision`, as any migration on the way there says."""
    scripts = ScriptDirectory.from_config(alembic_config())
    known = chain()
    on_the_way = known[: known.index(revision) + 1]
    stated: list[str] = [scripts.get_revision(one).module.oldest_code for one in on_the_way]
    return max(stated, key=known.index)
