"""Follow the Redis Stream of events, as `aegis tail` does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from redis import Redis, RedisError

from aegis_worker.delivery.stream import STREAM
from aegis_worker.errors import OperatorError

# Shorter than the client waits for an answer, which would otherwise take silence for a Redis that is away.
_BLOCK_MS, _MOST = 500, 100


def last_events(redis: Redis, count: int) -> tuple[str, list[dict[str, Any]]]:
    """Where the stream ends now, and its last `count` events, oldest first. Raises OperatorError."""
    entries = _asked(lambda: redis.xrevrange(STREAM, count=max(count, 1)))
    place = entries[0][0].decode() if entries else "0-0"
    return place, [_event(fields) for _, fields in reversed(entries[:count])]


def events_after(redis: Redis, place: str) -> Iterator[dict[str, Any]]:
    """Every event that is told after `place`, for ever. Raises OperatorError where Redis does not answer."""
    while True:
        told = _asked(lambda place=place: redis.xread({STREAM: place}, count=_MOST, block=_BLOCK_MS))
        for _, entries in told:
            for at, fields in entries:
                place = at.decode()
                yield _event(fields)


def _asked(question: Any) -> list[Any]:
    try:
        return cast("list[Any]", question() or [])
    except RedisError as error:
        raise OperatorError(
            f"Redis can't be asked ({type(error).__name__}); `aegis timeline ID` shows a payment's events without it"
        ) from error


def _event(fields: dict[bytes, bytes]) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(fields[b"payload"])
    return {**event, "merchant_id": fields[b"merchant_id"].decode()}
