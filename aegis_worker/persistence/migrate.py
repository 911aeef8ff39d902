"""Schema migrations by Alembic, under an advisory lock so that several starting processes don't race."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from .database import translated
from .engines import new_engine

_LOCK = 0x6165_6769_73  # "aegis"


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the schema up to `revision`. Raises DatabaseUnavailable, and alembic's CommandError for an unknown revision."""
    _run(database_url, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str, revision: str = "base") -> None:
    """Take the schema back to `revision`; `base` removes every table and everything in them."""
    _run(database_url, lambda config: command.downgrade(config, revision))


def head_revision() -> str:
    """The newest revision that this code knows."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def is_known(revision: str) -> bool:
    """Whether this code has that migration; not so for those of a newer version."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _run(database_url: str, migrate: Callable[[Config], None]) -> None:
    engine = new_engine(database_url, application="migrate")
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            connection.commit()
            config = _config()
            config.attributes["connection"] = connection
            migrate(config)
            connection.commit()
    except DBAPIError as error:
        raise translated(error) from error
    finally:
        engine.dispose()  # closing the session releases the lock
