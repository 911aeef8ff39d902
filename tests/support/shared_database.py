"""The database that the tests of a process use one after another."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url

from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence.tables import metadata

_DELETE_ALL = "; ".join(f"DELETE FROM {name}" for name in metadata.tables if name != "schema_compatibility")

# One function in the session that empties, so that PostgreSQL plans these statements once and not after each test. It ends
# all other sessions, and returns whether the database has settings of its own, and a digest of the schema.
_EMPTIED = f"""
    CREATE FUNCTION pg_temp.emptied(ours oid, OUT has_settings boolean, OUT schema text)
    LANGUAGE plpgsql AS $$ DECLARE other integer; BEGIN
        FOR other IN SELECT pid FROM pg_stat_get_activity(NULL) WHERE datid = ours AND pid <> pg_backend_pid() LOOP
            PERFORM pg_terminate_backend(other);
        END LOOP;
        has_settings := EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = ours);
        {_DELETE_ALL};
        SELECT concat(count(*), ' ', sum(part)) INTO schema FROM (
            SELECT hashtextextended(concat('relation', oid, relname, relkind), 0)
                FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION ALL SELECT hashtextextended(concat('column', attrelid, attname, atttypid, attnotnull), 0)
                FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
                WHERE attnum > 0 AND relkind = 'r' AND relnamespace = 'public'::regnamespace
            UNION ALL SELECT hashtextextended(concat('trigger', tgrelid, tgname, tgenabled), 0) FROM pg_trigger
            UNION ALL SELECT hashtextextended(concat('constraint', conrelid, conname), 0) FROM pg_constraint
            UNION ALL SELECT hashtextextended(concat('function', proname, prosrc), 0) FROM pg_proc
                WHERE pronamespace = 'public'::regnamespace
            UNION ALL SELECT hashtextextended(concat('version', version_num), 0) FROM alembic_version
        ) AS parts(part);
    END $$
"""


class SharedDatabase:
    """A database that is emptied after each test, because a new one would cost most tests a quarter of a second.

    If a test leaves another schema behind, or something that can't be emptied, the next test gets a new database.
    """

    def __init__(self, stores: Stores, template: str) -> None:
        self._stores, self._template = stores, template
        self._new()

    def empty(self) -> None:
        """Delete everything, even while others are still connected."""
        try:
            ((has_settings, schema),) = self._execute("SELECT * FROM pg_temp.emptied(%s)", self._oid)
            if has_settings:
                self._execute(f"ALTER DATABASE {self._name} RESET ALL")
        except psycopg2.Error:
            schema = None
        if schema != self._schema:
            self.close()
            as_superuser(self._stores, f"DROP DATABASE {self._name} WITH (FORCE)")
            self._new()

    def close(self) -> None:
        """Close the kept connection. It is kept because opening one for each statement would cost more than that."""
        self._connection.close()

    def _new(self) -> None:
        self._name = f"test_{uuid.uuid4().hex[:12]}"
        as_superuser(self._stores, f"CREATE DATABASE {self._name} TEMPLATE {self._template} OWNER aegis")
        self._connection = _connect(self._stores, self._name)
        # The role `replica` skips the triggers that keep history from being deleted.
        self._execute(f"SET session_replication_role = replica; {_EMPTIED}")
        ((self._oid,),) = self._execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        ((_, self._schema),) = self._execute("SELECT * FROM pg_temp.emptied(%s)", self._oid)
        self.url = url_of(self._stores, self._name)

    def _execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []


def url_of(stores: Stores, database: str) -> str:
    """The URL of a database of the stores, for SQLAlchemy, as the product's role."""
    return make_url(stores.postgres.url).set(database=database).render_as_string(hide_password=False)


def as_superuser(
    stores: Stores, statement: str, *parameters: str, database: str = "aegis"
) -> list[tuple[Any, ...]]:
    """Run a statement as PostgreSQL's superuser, in a session and a transaction of its own; returns its rows."""
    connection = _connect(stores, database)
    try:
        cursor = connection.cursor()
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def _connect(stores: Stores, database: str) -> psycopg2.extensions.connection:
    url = make_url(stores.postgres.url).set(drivername="postgresql", username="postgres", database=database)
    connection = psycopg2.connect(url.render_as_string(hide_password=False))
    connection.autocommit = True
    return connection
