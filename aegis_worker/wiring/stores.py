"""Clients of the stores."""

from __future__ import annotations

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from aegis_worker.observability.traced_redis import TracedRedis
from aegis_worker.observability.tracing import TRACING
from aegis_worker.persistence.database import Database
from aegis_worker.settings import Settings

# A short timeout: a payment must not wait long for the locks, flags and health figures of a slow Redis.
_REDIS_TIMEOUT_S = 0.3


def reading_database(settings: Settings, database: Database) -> Database:
    """Where analytics look: the replica of AEGIS_READ_DATABASE_URL, or the database itself."""
    if settings.read_database_url is None:
        return database
    return Database.connect(settings, application="analytics", url=settings.read_database_url)


def redis_client(settings: Settings) -> Redis:
    """A client for locks, flags and streams: short waits, no retries (a retried INCR counts twice)."""
    return short_waits(settings.redis_url, _REDIS_TIMEOUT_S)


def short_waits(url: str, timeout_s: float) -> Redis:
    """A client that waits for no answer longer than `timeout_s`, and asks nothing twice."""
    client = TracedRedis if TRACING.on else Redis
    return client.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
    )


def answers(redis: Redis) -> bool:
    """Whether Redis answers a ping."""
    try:
        return bool(redis.ping())
    except RedisError:
        return False
