"""A process that dies while it accepts a batch: the whole batch is there or nothing of it, and sending it again resumes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable

import pytest
from support.api_client import CARD, Api, Merchant, start_api
from support.payments import pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.crash_points import VARIABLE, arm

_LINES = 40
_BODY = "".join(
    json.dumps(
        {
            "idempotency_key": f"k{n}",
            "reference": f"r{n}",
            "amount": 1999 if n % 10 else 0,
            "currency": "USD",
            "payment_method": CARD,
        }
    )
    + "\n"
    for n in range(_LINES)
).encode()
_REFUSED = _LINES // 10


def post_batch(shop: Merchant) -> dict[str, int]:
    answer = shop.post("/v1/payments/batches", data=_BODY, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    return {outcome: answer.json[outcome] for outcome in ("accepted", "replayed", "refused")}


def posting(database_url: str, shop: Merchant, point: str = "") -> multiprocessing.process.BaseProcess:
    """A process that posts the batch, and is told to die at `point`."""

    def post() -> None:
        api = start_api(database_url)
        os.environ[VARIABLE] = point
        arm("development")
        post_batch(Merchant(shop.merchant_id, shop.key, api.app.test_client()))

    process = multiprocessing.get_context("fork").Process(target=post)
    process.start()
    return process


def count(api: Api, table: str) -> int:
    return int(rows(api.database, f"SELECT count(*) FROM {table}")[0]["count"])


def assert_all_or_nothing(api: Api, lines: int) -> None:
    for table in ("payments", "jobs", "payment_events", "outbox", "idempotency_keys"):
        assert count(api, table) == lines, table


@pytest.mark.parametrize(
    ("point", "durable"),
    [
        pytest.param("intake.received", False, marks=pytest.mark.row(1)),
        pytest.param("intake.committed", True, marks=pytest.mark.row(2)),
        pytest.param("intake.hinted", True, marks=pytest.mark.row(3)),
    ],
)
@pytest.mark.slow
def test_a_batch_is_there_whole_or_not_at_all_when_the_api_dies_and_the_same_body_resumes(
    database_url: str, point: str, durable: bool
) -> None:
    api = start_api(database_url)
    shop = api.merchant()
    good = _LINES - _REFUSED
    process = posting(database_url, shop, point)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert_all_or_nothing(api, good if durable else 0)
    resumed = post_batch(shop)
    assert resumed == {
        "accepted": 0 if durable else good,
        "replayed": good if durable else 0,
        "refused": _REFUSED,
    }
    gateway = ScriptedGateway("a")
    run_until_quiet(pipeline(api.database, gateway))
    assert len(gateway.calls) == good == count(api, "payments")
    assert rows(api.database, "SELECT DISTINCT state FROM payments") == [{"state": "SUCCESS"}]
    api.database.dispose()


@pytest.mark.slow
@pytest.mark.row(1)
def test_a_batch_is_there_whole_or_not_at_all_when_the_api_dies_while_postgresql_writes_it(
    database_url: str,
) -> None:
    api = start_api(database_url)
    shop = api.merchant()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with api.database.engine.begin() as holding:
        holding.exec_driver_sql("LOCK TABLE outbox")
        process = posting(database_url, shop)
        wait_for(api, waiting, lambda count: count > 0)
        process.kill()
        process.join(60)
        assert count(api, "payments") == 0
    # Without its client the session ends the statement, or gives it up: it waits for the lock only so long.
    session = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
    wait_for(api, session, lambda count: count == 1)
    good = _LINES - _REFUSED
    there = count(api, "payments")
    assert there in (0, good)
    assert_all_or_nothing(api, there)
    assert post_batch(shop) == {"accepted": good - there, "replayed": there, "refused": _REFUSED}
    api.database.dispose()


def wait_for(api: Api, counting: str, is_reached: Callable[[int], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_reached(rows(api.database, counting)[0]["count"]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
