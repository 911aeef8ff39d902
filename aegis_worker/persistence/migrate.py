"""Schema migrations by Alembic, under an advisory lock so that several starting processes don't race."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from .at_work import stays_at_work
from .database import Database
from .engines import new_engine

_LOCK = 0x6165_6769_73  # "aegis"
# No statement of a migration takes this long. If one is silent for much less, `stays_at_work` asks PostgreSQL about it.
_LONGEST_S = 86_400.0


MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database_url: str, revision: str = "head", migrations: Path = MIGRATIONS) -> None:
    """Bring the schema up to `revision`. If it was interrupted, running it again goes on from where it stopped.

    `migrations`: the folder of those to run, for a database that is not the product's.

    Raises DatabaseUnavailable, and alembic's CommandError for an unknown revision.
    """
    _run(database_url, lambda config: command.upgrade(config, revision), migrations)


def downgrade(database_url: str, revision: str = "base") -> None:
    """Take the schema back to `revision`; `base` removes every table and everything in them."""
    _run(database_url, lambda config: command.downgrade(config, revision))


def alembic_config(migrations: Path = MIGRATIONS) -> Config:
    """Where the migrations are."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    return config


def _run(database_url: str, migrate: Callable[[Config], None], migrations: Path = MIGRATIONS) -> None:
    engine = new_engine(database_url, application="migrate", answer_within_s=_LONGEST_S)
    try:
        # Closing the session releases the lock.
        with Database(engine).read() as connection, stays_at_work(connection, database_url):
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            connection.commit()
            config = alembic_config(migrations)
            config.attributes["connection"] = connection
            migrate(config)
            connection.commit()
    finally:
        engine.dispose()
