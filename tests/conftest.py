"""The stores that tests run on: embedded PostgreSQL and Valkey for each session, an empty database for each test."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import psycopg2
import pytest
import redis
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from support.api_client import applications
from support.checkout import CHECKOUT
from support.spare_postgres import spare
from support.vaults import VaultStores, emptied
from support.waiting_for_disks import wait_for_disk
from xdist.scheduler import LoadFileScheduling

from aegis_worker.lab.embedded.stack import Stores, temporary_data_dir
from aegis_worker.lab.embedded.valkey import EmbeddedMemory
from aegis_worker.persistence import migrate
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.tables import metadata
from aegis_worker.vault.migrations import upgrade as upgrade_vault
from aegis_worker.vault.vault import Vault

pytest_plugins = ["support.shared_collection", "support.shared_installation"]

# How long an example takes says something of the machine and of what else runs on it, and nothing of the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_TEMPLATE = "aegis_template"


class _ByServers(LoadFileScheduling):
    """Distributes test files to several processes, each with its own stores. A file stays in one process.

    All files that share the running installation go to the same process, because the installation takes long to start.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "installation" if _shares_installation(file) else file


@cache
def _shares_installation(file: str) -> bool:
    return "from support.installation import" in (CHECKOUT / file).read_text()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Called by pytest-xdist to get the scheduler."""
    return _ByServers(config, log)


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """PostgreSQL and Valkey of this session. Never those of DATABASE_URL and REDIS_URL, because tests empty them."""
    with temporary_data_dir() as data_dir, Stores(data_dir, environ={}) as running:
        wait_for_disk(running.postgres, False)
        spare(running.postgres)
        yield running


@pytest.fixture(scope="module")
def durable(stores: Stores) -> Iterator[None]:
    """The session's PostgreSQL as an installation has to have it: each commit waits for the disk."""
    wait_for_disk(stores.postgres, True)
    yield
    wait_for_disk(stores.postgres, False)


@pytest.fixture(scope="session")
def migrated_template(stores: Stores) -> str:
    """The name of a database with the whole schema and no rows."""
    _run(stores, f"CREATE DATABASE {_TEMPLATE} OWNER aegis")
    migrate.upgrade(_url(stores, _TEMPLATE))
    return _TEMPLATE


@pytest.fixture(scope="session")
def shared_database(stores: Stores, migrated_template: str) -> Iterator[SharedDatabase]:
    """The database that tests use one after another."""
    shared = SharedDatabase(stores, migrated_template)
    yield shared
    shared.close()


@pytest.fixture
def database_url(shared_database: SharedDatabase) -> Iterator[str]:
    """The URL of a migrated and empty database."""
    with applications.of_a_test():
        yield shared_database.url
    shared_database.empty()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database object on the test's own database."""
    engine = create_engine(
        database_url, pool_size=12, max_overflow=0, connect_args={"options": "-c lock_timeout=2000"}
    )
    yield Database(engine)
    engine.dispose()


@pytest.fixture
def break_in(stores: Stores, database_url: str) -> Callable[..., None]:
    """`break_in(*statements)` changes rows past their guards, as a bug, a statement in psql or a bad restore would."""

    def run(*statements: str) -> None:
        replica = "SET session_replication_role = replica"
        _run(stores, "; ".join((replica, *statements)), database=str(make_url(database_url).database))

    return run


@pytest.fixture(scope="session")
def vault_stores(stores: Stores) -> Iterator[VaultStores]:
    """The card vault's own database, with its schema, and its own Valkey, which writes no files."""
    memory = EmbeddedMemory(stores.postgres.data_dir)
    redis_url = memory.start()
    try:
        database_url = stores.postgres.further_database("aegis_vault", "vault")
        upgrade_vault(database_url)
        yield VaultStores(database_url, redis_url)
    finally:
        memory.stop()


@pytest.fixture
def vault(vault_stores: VaultStores) -> Iterator[Vault]:
    """An empty card vault."""
    with emptied(vault_stores) as empty:
        yield empty


@pytest.fixture
def redis_url(stores: Stores) -> str:
    """The URL of the session's Valkey, emptied."""
    with redis.Redis.from_url(stores.valkey.url) as client:
        client.flushall()
    return stores.valkey.url


class SharedDatabase:
    """A database that is emptied after each test, because a new one would cost most tests a quarter of a second.

    If a test leaves another schema behind, or something that can't be emptied, the next test gets a new database.
    """

    _SCHEMA = """
        SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
            SELECT concat('relation', relname, relkind) FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION ALL SELECT concat('column', attrelid::regclass, attname, atttypid, attnotnull) FROM pg_attribute
                WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
            UNION ALL SELECT concat('trigger', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger
            UNION ALL SELECT concat('constraint', conrelid::regclass, conname) FROM pg_constraint
            UNION ALL SELECT concat('function', proname, md5(prosrc)) FROM pg_proc
                WHERE pronamespace = 'public'::regnamespace
            UNION ALL SELECT concat('version', version_num) FROM alembic_version
        ) schema(part)
    """

    # The role `replica` skips the triggers that keep history from being deleted.
    _EMPTY = "SET session_replication_role = replica; " + "; ".join(
        f"DELETE FROM {name}" for name in metadata.tables if name != "schema_compatibility"
    )
    _END_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"

    _OWN_SETTINGS = """
        SELECT 1 FROM pg_db_role_setting JOIN pg_database ON setdatabase = pg_database.oid WHERE datname = %s
    """

    def __init__(self, stores: Stores, template: str) -> None:
        self._stores, self._template = stores, template
        self._new()

    def empty(self) -> None:
        """Delete everything, even while others are still connected."""
        try:
            self._execute(self._END_OTHERS, self._name)
            if self._execute(self._OWN_SETTINGS, self._name):
                self._execute(f"ALTER DATABASE {self._name} RESET ALL")
            self._execute(self._EMPTY)
            schema = self._execute(self._SCHEMA)
        except psycopg2.Error:
            schema = []
        if schema != self._schema:
            self.close()
            _run(self._stores, f"DROP DATABASE {self._name} WITH (FORCE)")
            self._new()

    def close(self) -> None:
        """Close the kept connection. It is kept because opening one for each statement would cost more than that."""
        self._connection.close()

    def _new(self) -> None:
        self._name = f"test_{uuid.uuid4().hex[:12]}"
        _run(self._stores, f"CREATE DATABASE {self._name} TEMPLATE {self._template} OWNER aegis")
        self._connection = _connect(self._stores, self._name)
        self._schema = self._execute(self._SCHEMA)
        self.url = _url(self._stores, self._name)

    def _execute(self, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []


def _url(stores: Stores, database: str) -> str:
    return make_url(stores.postgres.url).set(database=database).render_as_string(hide_password=False)


def _connect(stores: Stores, database: str) -> psycopg2.extensions.connection:
    url = make_url(stores.postgres.url).set(drivername="postgresql", username="postgres", database=database)
    connection = psycopg2.connect(url.render_as_string(hide_password=False))
    connection.autocommit = True
    return connection


def _run(stores: Stores, statement: str, *parameters: str, database: str = "aegis") -> list[tuple[Any, ...]]:
    connection = _connect(stores, database)
    try:
        cursor = connection.cursor()
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
