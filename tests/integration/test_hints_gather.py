"""What is written within a moment goes with one hint; a hint that waits keeps no other from going out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery
from redis import Redis

from aegis_worker import hints
from aegis_worker.hints import Hints

_BOUND_S = 10


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def test_many_events_within_a_moment_are_one_hint(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_GATHER_S", {"outbox": 1.0})
    telling = Hints(Celery(broker=redis_url), redis)
    for _ in range(20):
        telling.notify("outbox")
        telling.clear("outbox")  # as a drain does that begins meanwhile
    assert redis.brpop(["outbox"], _BOUND_S) is not None
    assert redis.llen("outbox") == 0


def test_a_hint_that_waits_for_more_events_keeps_no_other_from_going_out(
    redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_GATHER_S", {"outbox": 3600.0})
    telling = Hints(Celery(broker=redis_url), redis)
    telling.notify("outbox")
    telling.notify("payments")
    assert redis.brpop(["payments"], _BOUND_S) is not None
    assert redis.llen("outbox") == 0
