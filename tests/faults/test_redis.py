"""Redis stopped, frozen, emptied, full or out of reach: it costs time and no payment."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from support.installation import SOON_S, Installation, wait_until
from support.own_beat import OwnBeat
from support.own_worker import own_worker
from support.tcp_proxy import TcpProxy

from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.lab.embedded.valkey import EmbeddedValkey


@contextmanager
def frozen(valkey: EmbeddedValkey) -> Iterator[None]:
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(valkey.pid, signal.SIGCONT)


@pytest.mark.row(6)
def test_with_redis_killed_a_payment_is_accepted_and_the_relay_makes_it(
    running: Installation, valkey: EmbeddedValkey
) -> None:
    valkey.stop(signal.SIGKILL)
    try:
        payment_id = running.accepted("tok_visa")
        relayed = running.aegis("relay", "--once")
        assert running.payment(payment_id)["state"] == "SUCCESS", relayed.stderr
    finally:
        valkey.start()
    assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"


@pytest.mark.row(7)
@pytest.mark.slow
def test_with_redis_frozen_payments_are_accepted_without_waiting_for_it(
    running: Installation, valkey: EmbeddedValkey
) -> None:
    with frozen(valkey):
        payment_ids = [running.accepted("tok_visa", within_s=5) for _ in range(10)]
        relayed = running.aegis("relay", "--once")
        assert running.payment(payment_ids[-1])["state"] == "SUCCESS", relayed.stderr
    assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"


@pytest.mark.slow
@pytest.mark.row(11)
def test_payments_end_though_redis_is_emptied_again_and_again(running: Installation) -> None:
    payment_ids = []
    for number in range(40):
        payment_ids.append(running.accepted("tok_latency_200" if number % 2 else "tok_visa"))
        with running.redis() as client:
            client.flushall()
    assert {running.ended(payment_id)["state"] for payment_id in payment_ids} == {"SUCCESS"}
    with running.redis() as client:
        client.flushall()
    # All that Celery had declared in Redis is gone; hints still have to find their queue.
    assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"


@pytest.mark.row(13)
@pytest.mark.slow
def test_workers_outlive_a_redis_that_is_full(running: Installation) -> None:
    worker_pid = running.worker_pid()
    with running.redis() as client:
        limit = client.config_get("maxmemory")["maxmemory"]
        assert limit is not None
        client.config_set("maxmemory", "1")
        try:
            payment_ids = [running.accepted("tok_visa") for _ in range(5)]
            relayed = running.aegis("relay", "--once")
            assert running.payment(payment_ids[-1])["state"] == "SUCCESS", relayed.stderr
        finally:
            client.config_set("maxmemory", limit)
    assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"
    assert running.worker_pid() == worker_pid


@pytest.mark.row(14)
@pytest.mark.slow
def test_a_worker_whose_connections_to_redis_went_dead_comes_back(
    running: Installation, valkey: EmbeddedValkey
) -> None:
    with (
        TcpProxy(valkey.port) as proxy,
        own_worker(running, REDIS_URL=proxy.in_front_of(valkey.url)) as worker,
    ):
        assert running.ended(running.accepted("tok_visa"))["state"] == "SUCCESS"
        proxy.blackhole()
        payment_id = running.accepted("tok_visa")
        proxy.heal()
        assert running.ended(payment_id, within_s=SOON_S)["state"] == "SUCCESS"
        assert worker.process.poll() is None


@pytest.mark.row(14)
@pytest.mark.slow
def test_a_beat_whose_connections_to_redis_went_dead_sends_its_ticks_again(
    stores: Stores, redis_url: str, tmp_path: Path
) -> None:
    with (
        TcpProxy(stores.valkey.port) as proxy,
        redis.Redis.from_url(redis_url) as client,
        OwnBeat(tmp_path, {"REDIS_URL": proxy.in_front_of(redis_url)}) as beat,
    ):
        wait_until(lambda: client.llen("outbox"), SOON_S, beat.printed)
        proxy.blackhole()
        beat.says("tick not sent")
        client.flushall()
        proxy.heal()
        wait_until(lambda: client.llen("outbox"), SOON_S, beat.printed)
