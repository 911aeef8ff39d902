"""What Redis answers, as the type that it has there: redis-py's own types leave open how a client decodes."""

from __future__ import annotations

from redis import Redis


def text_of(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def taken_from(broker: Redis, queue: str, at_most: int) -> list[str]:
    """Entries that are taken from a list of Redis, from its head."""
    entries = broker.lpop(queue, at_most) or []
    assert isinstance(entries, list), entries
    return [text_of(entry) for entry in entries]
