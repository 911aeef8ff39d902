"""Probe permits over real processes on one Valkey: never more out than permitted, and none lost with a worker that dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess

import pytest
from redis import Redis
from support.gates_on_fake_redis import gate
from support.installation import wait_until

from aegis_worker.domain.breakers import BreakerLimits, BreakerState
from aegis_worker.resilience.gates import SharedGates
from aegis_worker.resilience.permits import CallResult, Said, Wanted

_PROCESSES = get_context("fork")
_PROBES = "aegis:gate:bank:process:probes"
SENT, REFUSED = "test:sent", "test:refused"


def gates(redis_url: str, limits: BreakerLimits) -> SharedGates:
    return SharedGates(Redis.from_url(redis_url), {"bank": gate(limits)}, draw=lambda: 0.0)


def call() -> Wanted:
    return Wanted("bank", ("process",), f"call-{os.getpid()}-{os.urandom(4).hex()}")


def half_open(redis_url: str, limits: BreakerLimits) -> SharedGates:
    """The breaker opens, and its time is up at once."""
    own = gates(redis_url, limits)
    wanted = [call() for _ in range(limits.consecutive_failures)]
    verdicts = own.admit(wanted)
    own.report([CallResult(w, v.epoch, Said.FAILURE, 1.0) for w, v in zip(wanted, verdicts, strict=True)])

    def is_half_open() -> bool:
        return gates(redis_url, limits).views()["bank"]["process"].state is BreakerState.HALF_OPEN

    wait_until(is_half_open, 10)
    return own


@contextmanager
def processes(number: int, work: Callable[[], None]) -> Iterator[Sequence[BaseProcess]]:
    """So many processes of their own that do the work; ended at the end."""
    started = [_PROCESSES.Process(target=work, daemon=True) for _ in range(number)]
    for process in started:
        process.start()
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.join()


@pytest.mark.row(46)
def test_24_processes_that_want_to_probe_get_three_permits(redis_url):
    limits = BreakerLimits(open_s=0.1, probe_s=90)
    half_open(redis_url, limits)
    line = _PROCESSES.Barrier(24)

    def probe() -> None:
        own, redis = gates(redis_url, limits), Redis.from_url(redis_url)
        line.wait()
        for _ in range(20):
            (verdict,) = own.admit([call()])
            redis.incr(SENT if verdict.granted else REFUSED)

    with Redis.from_url(redis_url) as redis, processes(24, probe) as started:
        wait_until(lambda: all(process.exitcode == 0 for process in started), 60)
        assert (redis.get(SENT), redis.get(REFUSED)) == (b"3", b"477")


@pytest.mark.row(46)
def test_in_one_half_open_period_no_more_than_three_probes_are_sent(redis_url):
    limits = BreakerLimits(open_s=0.1, max_open_s=0.1, open_jitter=0.0, successes_to_close=3)
    half_open(redis_url, limits)
    line = _PROCESSES.Barrier(24)

    def probe() -> None:
        """Each period ends with its third probe, which fails: so its epoch names the period."""
        own, redis = gates(redis_url, limits), Redis.from_url(redis_url)
        line.wait()
        for _ in range(3000):
            if redis.hlen(SENT) > 5:
                return
            wanted = call()
            (verdict,) = own.admit([wanted])
            if verdict.granted:
                sent = redis.hincrby(SENT, str(verdict.epoch), 1)
                said = Said.FAILURE if sent >= 3 else Said.SUCCESS
                own.report([CallResult(wanted, verdict.epoch, said, 1.0)])

    with Redis.from_url(redis_url) as redis, processes(24, probe) as started:
        wait_until(lambda: all(process.exitcode == 0 for process in started), 60)
        sent = [int(number) for number in redis.hvals(SENT)]
        assert len(sent) > 5
        assert max(sent) == 3


@pytest.mark.slow
@pytest.mark.row(47)
def test_the_permits_of_probing_processes_that_are_killed_come_free(redis_url):
    limits = BreakerLimits(open_s=0.1, probe_s=2.0)
    own = half_open(redis_url, limits)

    def probe() -> None:
        if gates(redis_url, limits).admit([call()])[0].granted:
            signal.pause()

    with Redis.from_url(redis_url) as redis, processes(3, probe) as probing:
        wait_until(lambda: redis.zcard(_PROBES) == 3, 10)
        held_until_ms = [until for _, until in redis.zrange(_PROBES, 0, -1, withscores=True)]
        for process in probing:
            os.kill(process.pid or 0, signal.SIGKILL)
        wait_until(lambda: own.admit([call()])[0].granted, 30)
        seconds, microseconds = redis.time()
        assert seconds * 1000 + microseconds / 1000 >= min(held_until_ms)
