"""Redis, PostgreSQL, hints and the clock, disturbed on purpose as a plan says, and well again when its window is over."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis
from celery import Celery
from sqlalchemy import text
from support.chaos import TimedChaos
from support.outbox_events import settings_with
from support.payments import accept_one, attempts_of, payment_of, pipeline
from support.scripted_gateway import ScriptedGateway

from aegis_worker.celery import QUEUE_OF
from aegis_worker.chaos.plan import Injection, Kind
from aegis_worker.chaos.switches import DisturbedDatabase, DisturbedHints, disturb_redis
from aegis_worker.chaos.tally import Tally, injected
from aegis_worker.clock import clock_s, put_off
from aegis_worker.domain.transitions import State
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.queries.metrics import readings
from aegis_worker.queries.metrics_text import metrics_text
from aegis_worker.wiring.stores import short_waits


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with short_waits(redis_url, 0.3) as found:
        yield found


def test_redis_is_down_for_this_client_alone_and_comes_back(redis_url: str, client: redis.Redis) -> None:
    chaos = TimedChaos(Injection("redis_down", Kind.REDIS_DOWN, until_s=5))
    disturb_redis(client, chaos)
    with pytest.raises(redis.ConnectionError, match="injected: Redis is down"):
        client.ping()
    with short_waits(redis_url, 0.3) as other:
        assert other.ping()
    chaos.at_s = 5.0
    assert client.ping()


def test_a_slow_redis_is_waited_for_as_long_as_its_client_waits(client: redis.Redis) -> None:
    chaos = TimedChaos(
        Injection("slow", Kind.REDIS_SLOW, until_s=5, delay_ms=20),
        Injection("slower", Kind.REDIS_SLOW, from_s=5, delay_ms=60_000),
    )
    disturb_redis(client, chaos)
    began_s = time.monotonic()
    assert client.ping()
    assert time.monotonic() - began_s >= 0.02
    chaos.at_s = 5.0
    with pytest.raises(redis.TimeoutError, match="does not answer in time"):
        client.ping()


@pytest.fixture
def disturbed(database: Database) -> Iterator[DisturbedDatabase]:
    url = database.engine.url.render_as_string(hide_password=False)
    found = DisturbedDatabase.connect(settings_with(), application="worker", url=url)
    assert isinstance(found, DisturbedDatabase)
    yield found
    found.dispose()


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(Kind.POSTGRES_LOST_BEFORE_COMMIT, marks=pytest.mark.slow),
        Kind.POSTGRES_LOST_AFTER_COMMIT,
    ],
)
def test_a_payment_is_charged_once_whenever_the_connection_is_lost(
    database: Database, disturbed: DisturbedDatabase, kind: Kind
) -> None:
    chaos = disturbed.chaos = TimedChaos(Injection("lost", kind, probability=0.5), seed=3)
    gateway = ScriptedGateway("a")
    ids = [accept_one(database, f"key-{number}").payment.id for number in range(10)]
    run(pipeline(disturbed, gateway), "payments")
    assert {payment_of(database, one).state for one in ids} == {State.SUCCESS}
    assert [len(attempts_of(database, one)) for one in ids] == [1] * 10
    assert chaos.struck.injections


def test_a_commit_whose_answer_was_lost_stands_and_one_before_it_does_not(
    database: Database, disturbed: DisturbedDatabase
) -> None:
    put = text("INSERT INTO found VALUES (1)")
    for kind, stands in ((Kind.POSTGRES_LOST_AFTER_COMMIT, 4), (Kind.POSTGRES_LOST_BEFORE_COMMIT, 0)):
        database.run(lambda connection: connection.execute(text("CREATE TABLE found (a int)")))
        disturbed.chaos = TimedChaos(Injection("lost", kind))
        with pytest.raises(DatabaseUnavailable):
            disturbed.run(lambda connection: connection.execute(put))
        with database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM found")).scalar_one() == stands, kind
        database.run(lambda connection: connection.execute(text("DROP TABLE found")))


@pytest.mark.parametrize(
    ("kind", "messages"),
    [(Kind.MESSAGE_LOST, 0), (Kind.MESSAGE_DUPLICATED, 2), (Kind.MESSAGE_DELAYED, 1)],
)
def test_hints_are_lost_doubled_and_late(
    redis_url: str, client: redis.Redis, kind: Kind, messages: int
) -> None:
    client.delete(QUEUE_OF["payments"])
    chaos = TimedChaos(Injection("hints", kind, delay_ms=10 if kind is Kind.MESSAGE_DELAYED else 0))
    hints = DisturbedHints(Celery("told", broker=redis_url), client, chaos)
    hints.send("payments")
    give_up_at = time.monotonic() + 10
    while client.llen(QUEUE_OF["payments"]) < messages and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert client.llen(QUEUE_OF["payments"]) == messages
    client.delete(QUEUE_OF["payments"])


def test_the_clock_is_off_for_its_window_alone() -> None:
    chaos = TimedChaos(Injection("ahead", Kind.CLOCK_OFFSET, from_s=1, until_s=2, offset_s=600))
    try:
        put_off(chaos.clock_offset_s)
        before_s = clock_s()
        chaos.at_s = 1.0
        assert 600 <= clock_s() - before_s < 660
        clock_s()
        assert [one.kind for one in chaos.struck.injections] == [Kind.CLOCK_OFFSET], "it is told of once"
        chaos.at_s = 2.0
        assert clock_s() - before_s < 60
    finally:
        put_off(None)


def test_what_was_injected_is_counted_for_metrics_also_while_redis_is_disturbed(client: redis.Redis) -> None:
    client.flushdb()
    tally = Tally(client)
    tally.count(Injection("slow-bank", Kind.TIMEOUT))
    tally.count(Injection("slow-bank", Kind.TIMEOUT))
    tally.count(Injection("redis_down", Kind.REDIS_DOWN))
    tally.write()
    counts = injected(client)
    assert counts == {("slow-bank", "timeout"): 2, ("redis_down", "redis_down"): 1}
    told = metrics_text(readings(None, None, injected=counts)).decode()
    assert 'aegis_chaos_injections_total{injection="slow-bank",kind="timeout"} 2.0' in told
    assert "aegis_chaos" not in metrics_text(readings(None, None)).decode()
