"""The stores that tests run on: embedded PostgreSQL and Valkey for each session, an empty database for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from support.api_client import applications
from support.checkout import CHECKOUT
from support.shared_database import SharedDatabase, as_superuser, url_of
from support.spare_postgres import spare
from support.vaults import VaultStores, emptied
from support.waiting_for_disks import wait_for_disk
from xdist.scheduler import LoadFileScheduling

from aegis_worker.lab.embedded.stack import Stores, temporary_data_dir
from aegis_worker.lab.embedded.valkey import EmbeddedMemory
from aegis_worker.persistence import migrate
from aegis_worker.persistence.database import Database
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
    as_superuser(stores, f"CREATE DATABASE {_TEMPLATE} OWNER aegis")
    migrate.upgrade(url_of(stores, _TEMPLATE))
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
        as_superuser(stores, "; ".join((replica, *statements)), database=str(make_url(database_url).database))

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
