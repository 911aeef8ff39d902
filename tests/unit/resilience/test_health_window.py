"""The windows in Redis: what is kept of calls, for how long, and what is read back."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import fakeredis
import pytest

from aegis_worker.resilience.health_window import (
    HealthWindow,
    HourCounts,
    RecentCalls,
    bucket_ms,
    bucket_of,
)
from aegis_worker.resilience.permits import CallResult, Counted, Said, Wanted


def result(
    gateway: str = "a", counted: Counted | None = Counted.APPROVED, latency_ms: float = 100.0, error: str = ""
) -> CallResult:
    wanted = Wanted(gateway, ("process",), "op_1")
    return CallResult(wanted, 1, Said.SUCCESS, latency_ms, counted=counted, error=error)


def timed_out() -> CallResult:
    return result(counted=Counted.ERROR, latency_ms=8000.0, error="no_answer")


class Windows:
    """Two gateways' windows in a Redis of their own."""

    def __init__(self) -> None:
        self.redis = fakeredis.FakeRedis()
        self.window = HealthWindow(["a", "b"])

    def record(self, *results: CallResult) -> list[object]:
        pipe = self.redis.pipeline(transaction=False)
        queued = self.window.record(pipe, results)
        replies = pipe.execute()
        assert len(replies) == queued
        return replies

    def recent(self) -> dict[str, RecentCalls]:
        pipe = self.redis.pipeline(transaction=False)
        pipe.ping()  # the function finds its replies among those of others
        read = self.window.read(pipe)
        pipe.ping()
        return read(pipe.execute())

    def hour(self) -> dict[str, HourCounts]:
        pipe = self.redis.pipeline(transaction=False)
        pipe.ping()
        read = self.window.read_hour(pipe)
        return read(pipe.execute())


@pytest.fixture
def windows() -> Windows:
    return Windows()


def test_nothing_recorded_reads_as_nothing(windows: Windows) -> None:
    assert [recent.calls for recent in windows.recent().values()] == [(), ()]
    assert windows.hour() == {"a": HourCounts(), "b": HourCounts()}


def test_calls_come_back_newest_first_by_gateway(windows: Windows) -> None:
    windows.record(result(latency_ms=10.04), result("b", Counted.PAYER), timed_out())
    windows.record(result(counted=Counted.DECLINED))
    recent = windows.recent()
    assert [(call.counted, call.latency_ms, call.error) for call in recent["a"].calls] == [
        (Counted.DECLINED, 100.0, ""),
        (Counted.ERROR, 8000.0, "no_answer"),
        (Counted.APPROVED, 10.0, ""),
    ]
    assert [call.counted for call in recent["b"].calls] == [Counted.PAYER]
    assert 0 <= recent["a"].now_ms - recent["a"].calls[0].at_ms < 60_000


def test_what_health_does_not_look_at_is_not_kept(windows: Windows) -> None:
    assert windows.record(result(counted=None)) == []
    assert windows.redis.keys() == []


@pytest.mark.parametrize("at_once", [1, 64, 250])
def test_the_last_hundred_are_kept_and_the_hour_counts_all(windows: Windows, at_once: int) -> None:
    results = [result(latency_ms=float(number)) for number in range(250)]
    for start in range(0, 250, at_once):
        windows.record(*results[start : start + at_once])
    assert [call.latency_ms for call in windows.recent()["a"].calls] == [
        float(number) for number in range(249, 149, -1)
    ]
    assert windows.hour()["a"].counts == {Counted.APPROVED: 250}
    assert windows.hour()["a"].latency_ms == sum(range(250))


def test_a_batch_is_one_command_for_each_gateway(windows: Windows) -> None:
    assert windows.record(*[result("a")] * 40, *[result("b")] * 24) == [None, None]


def test_the_hour_counts_outcomes_errors_and_latencies_of_answers(windows: Windows) -> None:
    windows.record(result(), result(counted=Counted.PENDING, latency_ms=900.0), timed_out(), timed_out())
    windows.record(result(counted=Counted.RATE_LIMITED, error="rate_limit"))
    hour = windows.hour()["a"]
    assert hour.counts == {
        Counted.APPROVED: 1,
        Counted.PENDING: 1,
        Counted.ERROR: 2,
        Counted.RATE_LIMITED: 1,
    }
    assert hour.errors == {"no_answer": 2, "rate_limit": 1}
    assert hour.latency_ms == 1000
    assert hour.buckets == Counter({bucket_of(100): 1, bucket_of(900): 1})
    assert 0 <= hour.elapsed_s < 60 * 60


def test_throughput_is_that_of_this_minute_and_the_last(windows: Windows) -> None:
    minute = windows.recent()["a"].now_ms // 60_000
    for ago, calls in ((0, 20), (1, 40), (3, 5000)):
        counts: dict[Any, Any] = {"approved": calls, "ms": 900, "b20": calls, "error:other": 7}
        windows.redis.hset(f"aegis:gate:a:minute:{minute - ago}", mapping=counts)
    told = windows.hour()["a"].calls_per_s
    a_minute_later = [20 / seconds for seconds in (60, 61)]
    assert told in [60 / seconds for seconds in range(60, 120)] + a_minute_later


def test_an_error_that_nobody_knows_has_no_name_of_its_own(windows: Windows) -> None:
    windows.record(result(counted=Counted.ERROR, error="x y\nz"))
    assert windows.recent()["a"].calls[0].error == "other"
    assert windows.hour()["a"].errors == {"other": 1}


def test_every_key_ends_by_itself(windows: Windows) -> None:
    windows.record(result(), result("b"))
    keys: list[Any] = windows.redis.keys()
    assert len(keys) == 4
    assert all(key.startswith(b"aegis:gate:") for key in keys)
    assert all(0 < windows.redis.ttl(key) <= 7200 for key in keys)


def test_what_is_older_than_an_hour_does_not_count(windows: Windows) -> None:
    windows.record(result())
    now_ms = windows.recent()["a"].now_ms
    windows.redis.rpush("aegis:gate:a:recent", f"{now_ms - 3_600_001} error 8000.0 no_answer")
    minute = now_ms // 60_000
    windows.redis.hset(f"aegis:gate:a:minute:{minute - 60}", "error", 7)
    windows.redis.hset(f"aegis:gate:a:minute:{minute - 58}", "declined", 2)
    assert [call.counted for call in windows.recent()["a"].calls] == [Counted.APPROVED]
    assert windows.hour()["a"].counts == {Counted.APPROVED: 1, Counted.DECLINED: 2}
    assert 58 * 60 <= windows.hour()["a"].elapsed_s < 60 * 60


def test_what_a_breaker_was_opened_for_is_left_out_once_it_has_closed(windows: Windows) -> None:
    windows.record(timed_out())
    closed_ms = windows.recent()["a"].now_ms + 1
    windows.redis.lpush("aegis:gate:a:recent", f"{closed_ms + 5} approved 90.0 ")
    assert [call.counted for call in windows.recent()["a"].since(closed_ms).calls] == [Counted.APPROVED]


@pytest.mark.parametrize("latency_ms", [1.0, 3.0, 47.0, 120.0, 999.0, 8000.0, 29_000.0, 1_000_000.0])
def test_a_bucket_is_within_a_twentieth_of_its_latencies(latency_ms: float) -> None:
    assert math.isclose(bucket_ms(bucket_of(latency_ms)), latency_ms, rel_tol=0.05)


def test_there_are_as_many_buckets_as_that_and_no_more() -> None:
    assert {bucket_of(latency_ms) for latency_ms in (0.0, 0.4, 1.0)} == {0}
    assert bucket_of(1e12) == bucket_of(1e9) == 150
