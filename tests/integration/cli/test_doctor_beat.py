"""`aegis doctor` on the schedule: which tick is late, and whether that is beat's fault or the workers'."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from support.command_line import Aegis, aegis, install
from support.installation import SOON_S, wait_until
from support.own_beat import OwnBeat

from aegis_worker.beat import STARTED, TICKS_KEY
from aegis_worker.celery import app as celery_app
from aegis_worker.persistence.database import Database

__all__ = ["aegis"]

_TICKS = list(celery_app.conf.beat_schedule)
# A tick that is noted ahead counts as sent just now, however long the commands of a test take on a busy machine.
GOES_ON_S = -3600.0


@pytest.fixture(autouse=True)
def _installation(monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str) -> None:
    install(monkeypatch, database_url, REDIS_URL=redis_url)
    for name in ("A", "B"):  # nobody answers there, and nobody has to
        monkeypatch.setenv(f"AEGIS_SANDBOX_{name}_URL", "http://127.0.0.1:1")


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def judged(aegis: Aegis) -> Callable[[], dict[str, Any]]:
    """What doctor says about beat."""

    def judge() -> dict[str, Any]:
        (check,) = [check for check in aegis("doctor", "--json").json["checks"] if check["name"] == "beat"]
        return dict(check)

    return judge


def noted(client: Redis, *, started_ago_s: float, ago_s: float, **of_tick: float) -> None:
    """As if beat had sent its ticks so long ago."""
    now_ms = client.time()[0] * 1000
    ages = {STARTED: started_ago_s} | dict.fromkeys(_TICKS, ago_s) | of_tick
    client.hset(TICKS_KEY, mapping={name: now_ms - round(age_s * 1000) for name, age_s in ages.items()})


def reconciled(aegis: Aegis, database: Database, ago_s: int) -> None:
    """As if a worker had done what beat said so long ago."""
    aegis("relay", "--once")
    aged = f"UPDATE reconciliation_runs SET finished_at = now() - interval '{ago_s} s'"
    database.run(lambda connection: connection.exec_driver_sql(aged))


@pytest.mark.slow
def test_a_beat_that_sends_nothing_any_more_is_named_and_not_the_workers(
    client: Redis, aegis: Aegis, database: Database, judged: Callable[[], dict[str, Any]]
) -> None:
    reconciled(aegis, database, 260)
    noted(client, started_ago_s=9000, ago_s=240, purge=3000)
    check = judged()
    assert check["verdict"] == "warn"
    assert "outbox 4 min" in check["seen"]
    assert "purge" not in check["seen"]  # it is due once an hour
    assert "beat, not the workers" in check["advice"]


@pytest.mark.slow
def test_ticks_that_nobody_acts_on_are_the_workers_matter(
    client: Redis, aegis: Aegis, database: Database, judged: Callable[[], dict[str, Any]]
) -> None:
    reconciled(aegis, database, 600)
    noted(client, started_ago_s=9000, ago_s=GOES_ON_S)
    check = judged()
    assert (check["verdict"], "last reconciled 10 min ago" in check["seen"]) == ("warn", True)
    assert "worker" in check["advice"]


@pytest.mark.slow
def test_one_tick_that_is_late_is_named_alone(
    client: Redis, aegis: Aegis, database: Database, judged: Callable[[], dict[str, Any]]
) -> None:
    reconciled(aegis, database, 20)
    noted(client, started_ago_s=9000, ago_s=GOES_ON_S, verify=400)
    check = judged()
    assert check["verdict"] == "warn"
    assert re.fullmatch(r"late ticks, last sent: verify 6 min \d+ s ago", check["seen"])


@pytest.mark.slow
def test_just_after_its_start_beat_is_said_to_reconcile_soon(
    client: Redis, judged: Callable[[], dict[str, Any]]
) -> None:
    noted(client, started_ago_s=9, ago_s=GOES_ON_S, reconcile=9)
    check = judged()
    assert check["verdict"] == "ok"
    assert re.search(r"reconciles in \d+ s", check["seen"])


@pytest.mark.slow
def test_a_relay_that_keeps_the_schedule_without_a_beat_is_fine(
    client: Redis, aegis: Aegis, judged: Callable[[], dict[str, Any]]
) -> None:
    aegis("relay", "--once")
    assert judged()["verdict"] == "ok"
    noted(client, started_ago_s=900_000, ago_s=600_000)  # there was one, last week
    assert judged()["verdict"] == "ok"


def test_without_redis_it_goes_by_what_was_reconciled(
    monkeypatch: pytest.MonkeyPatch, aegis: Aegis, database: Database, judged: Callable[[], dict[str, Any]]
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    reconciled(aegis, database, 20)
    assert judged()["verdict"] == "ok"
    database.run(lambda connection: connection.exec_driver_sql("DELETE FROM reconciliation_runs"))
    assert judged()["verdict"] == "warn"


@pytest.mark.slow
def test_a_beat_that_has_just_been_started_is_no_finding(
    tmp_path: Any, client: Redis, redis_url: str, judged: Callable[[], dict[str, Any]]
) -> None:
    with OwnBeat(tmp_path, {"REDIS_URL": redis_url}):
        wait_until(lambda: client.exists(TICKS_KEY), SOON_S)
        assert judged()["verdict"] == "ok"
