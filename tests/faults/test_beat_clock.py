"""The clock is set while beat runs, or while it does not: its ticks go on, none of them in a burst."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from support.installation import SOON_S, Installation, wait_until
from support.own_beat import OwnBeat
from support.own_worker import OwnWorker
from support.redis_values import taken_from, text_of

from aegis_worker.beat import STARTED, TICKS_KEY
from aegis_worker.celery import ENOUGH_WAIT, QUEUES
from aegis_worker.celery import app as celery_app

pytestmark = pytest.mark.row(71)

_TWO_HOURS_S = 7200.0
# Due so often that one has to come soon.
_FREQUENT = {"outbox.drain", "webhooks.deliver", "payments.verify"}


@pytest.fixture
def broker(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def beat(tmp_path: Path, redis_url: str) -> Callable[..., OwnBeat]:
    """`beat(clock_off_s=…)` starts one; the next has the schedule file of the last."""
    return lambda clock_off_s=0.0: OwnBeat(tmp_path, {"REDIS_URL": redis_url}, clock_off_s=clock_off_s)


def taken(broker: Redis) -> list[str]:
    """The tasks that wait, as a worker would take them."""
    entries = [entry for queue in QUEUES for entry in taken_from(broker, queue, 1000)]
    return [json.loads(entry)["headers"]["task"] for entry in entries]


def until_ticks_come(broker: Redis, wanted: set[str] = _FREQUENT) -> Counter[str]:
    """What came, once each of `wanted` has."""
    came: Counter[str] = Counter()

    def all_came() -> bool:
        came.update(taken(broker))
        return wanted <= set(came)

    wait_until(all_came, SOON_S, lambda: f"only {dict(came)} came")
    return came


@pytest.mark.parametrize(
    "off_s",
    [
        pytest.param(-_TWO_HOURS_S, id="back"),
        pytest.param(_TWO_HOURS_S, id="forward", marks=pytest.mark.slow),
    ],
)
def test_ticks_go_on_as_before_when_the_clock_is_set(
    beat: Callable[..., OwnBeat], broker: Redis, off_s: float
) -> None:
    with beat() as running:
        until_ticks_come(broker)
        set_at = time.monotonic()
        running.set_clock(off_s)
        came = until_ticks_come(broker)
        came += until_ticks_come(broker)
    passed_s = time.monotonic() - set_at
    for entry in celery_app.conf.beat_schedule.values():
        # One may have been due, and one have waited.
        assert came[entry["task"]] <= passed_s / entry["schedule"] + 2, came


@pytest.mark.slow
def test_a_schedule_that_is_ahead_of_the_clock_is_set_right_at_the_start_and_said(
    beat: Callable[..., OwnBeat], broker: Redis
) -> None:
    with beat(clock_off_s=_TWO_HOURS_S):
        until_ticks_come(broker)
    taken(broker)
    with beat() as restarted:
        restarted.says("the schedule was ahead of the clock")
        until_ticks_come(broker, {entry["task"] for entry in celery_app.conf.beat_schedule.values()})
        (said,) = [line for line in restarted.printed().splitlines() if "ahead of the clock" in line]
    assert _TWO_HOURS_S - SOON_S < json.loads(said)["ahead_s"] <= _TWO_HOURS_S


@pytest.mark.slow
def test_after_a_long_stop_each_tick_is_sent_once_and_not_for_all_that_was_missed(
    beat: Callable[..., OwnBeat], broker: Redis
) -> None:
    with beat(clock_off_s=-_TWO_HOURS_S):
        until_ticks_come(broker)
    taken(broker)
    with beat():
        came = until_ticks_come(broker, {entry["task"] for entry in celery_app.conf.beat_schedule.values()})
    for rare in ("maintenance.purge", "maintenance.reconcile", "maintenance.audit"):
        assert came[rare] == 1


@pytest.mark.slow
def test_ticks_that_nobody_takes_do_not_pile_up(beat: Callable[..., OwnBeat], broker: Redis) -> None:
    for queue in QUEUES:
        broker.lpush(queue, *["{}"] * ENOUGH_WAIT)
    with beat():
        wait_until(lambda: broker.exists(TICKS_KEY), SOON_S)
        first = broker.hget(TICKS_KEY, "outbox")
        wait_until(lambda: broker.hget(TICKS_KEY, "outbox") != first, SOON_S)
        assert {broker.llen(queue) for queue in QUEUES} == {ENOUGH_WAIT}


@pytest.mark.slow
def test_beat_says_in_redis_when_each_tick_was_sent_by_the_clock_of_redis(
    beat: Callable[..., OwnBeat], broker: Redis
) -> None:
    with beat(clock_off_s=-_TWO_HOURS_S):
        until_ticks_come(broker)
        noted = {text_of(name): int(at_ms) / 1000 for name, at_ms in broker.hgetall(TICKS_KEY).items()}
        now_s = broker.time()[0]
    assert set(noted) == {STARTED, *celery_app.conf.beat_schedule}
    assert all(now_s - SOON_S < at_s <= now_s + 1 for at_s in noted.values())
    assert broker.ttl(TICKS_KEY) > 0


@pytest.mark.slow
def test_workers_do_what_a_beat_says_whose_clock_is_hours_behind_theirs(
    running: Installation, tmp_path: Path
) -> None:
    with (
        running.without("beat"),
        OwnBeat(tmp_path, running.settings, clock_off_s=-_TWO_HOURS_S),
        OwnWorker(running),
    ):
        # Nobody but beat has doubts looked into.
        payment_id = running.accepted("tok_500")
        assert running.ended(payment_id)["state"] == "SUCCESS"
