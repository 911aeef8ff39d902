"""The database of the settings, for the subcommands that need no more than that, and who is at the terminal."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from sqlalchemy.exc import ProgrammingError

from aegis_worker.errors import DatabaseUnavailable, DatabaseUnusable
from aegis_worker.exchange.loaded import load_gateways
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.observability.logs import configure_logs
from aegis_worker.persistence.compatibility import require_fit
from aegis_worker.persistence.database import Database, sqlstate
from aegis_worker.persistence.whereabouts import not_seen_because
from aegis_worker.settings import load_settings

# PostgreSQL's undefined_column and undefined_function.
_ANOTHER_VERSION = {"42703", "42883"}


@contextmanager
def opened_database(*, any_schema: bool = False, longest_s: float = 0.0) -> Iterator[Database]:
    """The database of the settings, with a schema that this code can work with unless `any_schema` will do.

    A statement may take `longest_s` seconds, or as long as the settings say where that is longer.

    Raises ConfigurationError, DatabaseUnavailable, or OperatorError, of which SchemaUnfit is one.
    """
    settings = load_settings()
    settings = replace(settings, statement_timeout_s=max(longest_s, settings.statement_timeout_s))
    configure_logs("WARNING")
    database = Database.connect(settings, application="cli", pool_size=2)
    try:
        with tables_expected(database):
            if not any_schema:
                require_fit(database)
            yield database
    finally:
        database.dispose()


@contextmanager
def tables_expected(database: Database) -> Iterator[None]:
    """Where the tables are not seen, or are not ours yet, say why and what to do. Raises DatabaseUnusable."""
    try:
        yield
    except ProgrammingError as error:
        if sqlstate(error) not in _ANOTHER_VERSION:
            raise
        raise DatabaseUnusable("the database has no schema of this version; run `aegis migrate`") from error
    except DatabaseUnusable as error:
        why = None
        with suppress(DatabaseUnavailable), database.read() as connection:
            why = not_seen_because(connection)
        raise DatabaseUnusable(f"PostgreSQL: {why}") if why else error from error


def cli_actor() -> str:
    """Who decides at this terminal, as the audit log names them: `cli:<user name>`, by the user that the process runs as.

    Not by LOGNAME or USER, which anybody can set: the two-person rule tells people apart by this name.
    """
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid-{os.getuid()}"
    return "cli:" + (re.sub(r"[^A-Za-z0-9._@-]", "_", name)[:64] or "unknown")


def configured_gateways() -> dict[str, PaymentGateway]:
    """The gateways of config/gateways.toml by name, with no connection open. Raises ConfigurationError."""
    gateways = load_gateways(load_settings().config_dir / "gateways.toml")
    for gateway in gateways.values():
        gateway.close_connections()
    return gateways
