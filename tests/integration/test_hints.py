"""Hints as they reach Redis: how many, and how often the flags are looked at."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from aegis_worker.hints import Hints

_QUEUE = "payments"
# As the module has it: the thread rests this long after each look.
_REST_S = 0.02
_PATIENCE_S = 20.0


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        client.config_resetstat()
        yield client


@pytest.fixture
def hints(redis_url: str, broker: redis.Redis) -> Hints:
    return Hints(Celery("told", broker=redis_url), broker)


def looks(broker: redis.Redis) -> int:
    """How often a flag was looked at: SET … NX each time."""
    return int(broker.info("commandstats").get("cmdstat_set", {}).get("calls", 0))


def wait_for_hints(broker: redis.Redis, count: int, queue: str = _QUEUE) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while broker.llen(queue) < count:
        assert time.monotonic() < deadline, "no hint came"
        time.sleep(0.005)


def wait_until_looked(hints: Hints, broker: redis.Redis) -> None:
    """Until the thread has seen to every earlier notification: the queues of a look come in alphabetical order."""
    hints.notify("verify")
    wait_for_hints(broker, 1, "verify")


def test_a_burst_of_payments_is_one_hint_and_few_looks_at_the_flag(hints: Hints, broker: redis.Redis) -> None:
    started_at = time.monotonic()
    for _ in range(5000):
        hints.notify(_QUEUE)
    wait_for_hints(broker, 1)
    wait_until_looked(hints, broker)
    assert broker.llen(_QUEUE) == 1
    assert 1 <= looks(broker) <= 2 + (time.monotonic() - started_at) / _REST_S


def test_a_payment_that_comes_after_the_flag_was_cleared_is_hinted_at_again(
    hints: Hints, broker: redis.Redis
) -> None:
    hints.notify(_QUEUE)
    wait_for_hints(broker, 1)
    hints.clear(_QUEUE)
    hints.notify(_QUEUE)  # while the thread rests
    wait_for_hints(broker, 2)


def test_a_hint_that_is_outstanding_holds_back_others(hints: Hints, broker: redis.Redis) -> None:
    broker.set(f"aegis:hint:{_QUEUE}", "1")
    hints.notify(_QUEUE)
    wait_until_looked(hints, broker)
    assert broker.llen(_QUEUE) == 0
