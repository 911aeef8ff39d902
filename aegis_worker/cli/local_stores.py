"""Stores made ready for an installation: they answer, the schema is up to date, the merchant has a key."""

from __future__ import annotations

from redis import Redis, RedisError
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from aegis_worker.errors import InvalidApiKey, StackFailed
from aegis_worker.persistence import migrate
from aegis_worker.persistence.api_keys import authenticate, create_key
from aegis_worker.persistence.database import Database

_REDIS_S = 3.0


def with_driver(url: str) -> str:
    """The URL with the driver in it: SQLAlchemy 2.1 reads a plain postgresql:// as psycopg 3. Raises StackFailed."""
    try:
        return make_url(url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
    except ArgumentError as error:
        raise StackFailed(
            "DATABASE_URL is not a URL such as postgresql://user:password@host:5432/name"
        ) from error


def check_redis(url: str) -> None:
    """Raises StackFailed when it does not answer."""
    try:
        with Redis.from_url(url, socket_timeout=_REDIS_S, socket_connect_timeout=_REDIS_S) as client:
            client.ping()
    except (RedisError, ValueError) as error:
        raise StackFailed(f"Redis does not answer: {error}") from error


def migrate_schema(database_url: str) -> None:
    """Bring the schema up to date. Raises StackFailed when PostgreSQL does not answer."""
    try:
        migrate.upgrade(database_url)
    except OperationalError as error:
        raise StackFailed(f"PostgreSQL does not answer: {' '.join(str(error.orig).split())}") from error


def working_key(database_url: str, merchant_id: str, kept: str) -> str:
    """The merchant's key from last time, or a new one where this database doesn't know it."""
    database = Database(create_engine(database_url))
    try:
        if kept and authenticate(database, kept) == merchant_id:
            return kept
        return create_key(database, merchant_id, "local")[1]
    except InvalidApiKey:  # another database than last time, or revoked since
        return create_key(database, merchant_id, "local")[1]
    finally:
        database.dispose()
