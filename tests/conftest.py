"""The stores that tests run on: one embedded PostgreSQL and one Valkey a session, a fresh database a test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg2
import pytest
import redis
from sqlalchemy.engine import make_url

from aegis_worker.embedded.stack import Stores, temporary_data_dir
from aegis_worker.persistence import migrate

_TEMPLATE = "aegis_template"


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """PostgreSQL and Valkey of this session. Never those of DATABASE_URL and REDIS_URL: tests empty them."""
    with temporary_data_dir() as data_dir, Stores(data_dir, environ={}) as running:
        yield running


@pytest.fixture(scope="session")
def migrated_template(stores: Stores) -> str:
    """The name of a database with the whole schema and no rows."""
    _run(stores, f"CREATE DATABASE {_TEMPLATE}")
    migrate.upgrade(_url(stores, _TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def database_url(stores: Stores, migrated_template: str) -> Iterator[str]:
    """A database of its own, migrated and empty."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    _run(stores, f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield _url(stores, name)
    _run(stores, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def redis_url(stores: Stores) -> str:
    """The session's Valkey, emptied."""
    with redis.Redis.from_url(stores.valkey.url) as client:
        client.flushall()
    return stores.valkey.url


def _url(stores: Stores, database: str) -> str:
    return make_url(stores.postgres.url).set(database=database).render_as_string(hide_password=False)


def _run(stores: Stores, statement: str) -> None:
    url = make_url(stores.postgres.url).set(drivername="postgresql")
    connection = psycopg2.connect(url.render_as_string(hide_password=False))
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()
