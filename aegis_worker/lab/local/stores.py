"""Stores made ready for an installation: they answer, the schema is up to date, merchant and operator have keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from redis import Redis, RedisError

from aegis_worker.errors import InvalidApiKey, StackFailed
from aegis_worker.persistence.api_keys import (
    EVERY_MERCHANT,
    SCOPES,
    Scope,
    authenticate,
    create_key,
    create_operator_key,
)
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.engines import new_engine
from aegis_worker.store_urls import checked_database_url, checked_redis_url

_REDIS_S, _POSTGRES_S = 3.0, 15.0
_ACTOR = "aegis up"


def checked_stores(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with what it says of the stores as the processes take it. Raises ConfigurationError."""
    checks: dict[str, Callable[[str], str]] = {
        "DATABASE_URL": lambda url: checked_database_url(url, environ),
        "REDIS_URL": checked_redis_url,
    }
    return dict(environ) | {name: check(environ[name]) for name, check in checks.items() if environ.get(name)}


def check_redis(url: str) -> None:
    """Raises StackFailed when it does not answer."""
    try:
        with Redis.from_url(url, socket_timeout=_REDIS_S, socket_connect_timeout=_REDIS_S) as client:
            client.ping()
    except RedisError as error:
        raise StackFailed(f"Redis does not answer: {error}") from error


def working_key(database_url: str, merchant_id: str, kept: str) -> str:
    """The merchant's key from last time, with every scope, or a new one where this database knows none such."""
    return _working(
        database_url,
        merchant_id,
        kept,
        lambda database: create_key(database, merchant_id, "local", scopes=SCOPES, actor=_ACTOR)[1],
        SCOPES,
    )


def working_operator_key(database_url: str, kept: str) -> str:
    """The operator's key from last time, or a new one where this database doesn't know it."""
    return _working(
        database_url,
        EVERY_MERCHANT,
        kept,
        lambda database: create_operator_key(database, "local", actor=_ACTOR)[1],
        (),
    )


def _working(
    database_url: str,
    merchant_id: str,
    kept: str,
    create: Callable[[Database], str],
    scopes: Collection[Scope],
) -> str:
    database = Database(new_engine(database_url, application="up", answer_within_s=_POSTGRES_S))
    try:
        holder = authenticate(database, kept) if kept else None
        if holder is not None and holder.merchant_id == merchant_id and holder.scopes.issuperset(scopes):
            return kept
        return create(database)
    except InvalidApiKey:  # another database than last time, or revoked since
        return create(database)
    finally:
        database.dispose()
