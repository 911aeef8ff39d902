"""`aegis doctor`'s checks of Redis: whether it answers, its settings, the queues, and the workers that read them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from aegis_worker.celery import QUEUES
from aegis_worker.celery import app as celery_app
from aegis_worker.redis_rights import grant, is_refusal, missing_rights

from .checks import Check, fail, ok, warn
from .checks_database import skew

_PING_S = 2.0
_MANY_MESSAGES = 100


def rights(redis: Redis) -> Iterator[Check]:
    """Whether the user of REDIS_URL has the rights that AegisPay needs. Raises redis.RedisError."""
    missing = missing_rights(redis)
    if not missing:
        yield ok("Redis rights", "all that are needed")
    elif missing.keeps_from_working:
        yield fail("Redis rights", str(missing), f"as an administrator of Redis: {grant(redis, missing)}")
    else:
        yield warn("Redis rights", str(missing), f"for this command alone: {grant(redis, missing)}")


def as_far_as_allowed(look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """The checks of `look`, up to the first missing right. The check on rights has already named that one."""
    try:
        yield from look()
    except (RedisError, OperationalError) as error:  # kombu raises OperationalError in place of a RedisError
        if not is_refusal(error.__cause__ or error):
            raise


def server(redis: Redis) -> Iterator[Check]:
    """Version, behaviour when memory runs short, and persistence over a restart. Raises redis.RedisError."""
    info = redis.info()
    product = "Valkey" if "valkey_version" in info else "Redis"
    yield ok("Redis", f"{product} {info.get('valkey_version') or info.get('redis_version')}")
    policy = str(info.get("maxmemory_policy", "unknown"))
    if policy == "noeviction":
        yield ok("Redis memory", "noeviction")
    else:
        advice = (
            "CONFIG SET maxmemory-policy noeviction: Redis must refuse, not silently drop, messages and locks"
        )
        yield warn("Redis memory", f"policy {policy}", advice)
    if info.get("aof_enabled"):
        yield ok("Redis persistence", "append-only file")
    else:
        advice = "CONFIG SET appendonly yes: the event stream is lost on a restart; payments are not, PostgreSQL has them"
        yield warn("Redis persistence", "no append-only file", advice)


def clock(redis: Redis) -> Iterator[Check]:
    """The difference between this host's clock and that of Redis."""
    asked = time.time()
    seconds, microseconds = redis.time()
    yield skew("clock, Redis", seconds + microseconds / 1e6, asked, time.time())


def queues(redis: Redis) -> Iterator[Check]:
    """How many messages wait. They are only hints, so many of them mean slow or missing workers, not lost payments."""
    lengths = {queue: redis.llen(queue) for queue in QUEUES}
    seen = ", ".join(f"{queue} {length}" for queue, length in lengths.items())
    if max(lengths.values()) > _MANY_MESSAGES:
        yield warn("queues", seen, "no worker takes them, or too few do: start workers for all four queues")
    else:
        yield ok("queues", seen)


def workers() -> Iterator[Check]:
    """The workers that answer within 2 s."""
    answers = celery_app.control.inspect(timeout=_PING_S).ping() or {}
    if answers:
        yield ok("workers", f"{len(answers)} answer: {', '.join(sorted(answers)[:5])}")
    else:
        yield warn(
            "workers", "none answers", "start one (see Procfile), or `aegis relay`, which needs no Redis"
        )
