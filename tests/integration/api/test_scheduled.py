"""Payments for later: accepted now, charged at their time, and until then to be cancelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.api_client import SUCCEEDED, Api, Merchant, codes, start_api
from support.documented_answers import follows
from support.payments import accept_one, pipeline, rows, story_of
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.moments import rfc3339
from aegis_worker.persistence.asking import ask_now
from aegis_worker.persistence.claims import due_by_queue
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.queries.case_file import read_case_file
from aegis_worker.queries.outlook import outlook
from aegis_worker.queries.stuck import Thresholds, list_stuck


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url, ScriptedGateway("sandbox_a"))


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def ahead(**time: float) -> str:
    return rfc3339(datetime.now(UTC) + timedelta(**time))


def its_time_comes(database: Database) -> None:
    for statement in (
        "UPDATE payments SET scheduled_at = now() - interval '1 s' WHERE scheduled_at IS NOT NULL",
        "UPDATE jobs SET run_at = now() - interval '1 s'",
    ):
        database.run(lambda connection, sql=statement: connection.exec_driver_sql(sql))  # type: ignore[misc]


def test_it_is_accepted_at_once_and_charged_at_its_time(api: Api, shop: Merchant) -> None:
    at = ahead(days=3)
    answer = shop.post_payment(scheduled_at=at, key="k", prefer="wait=10")
    assert (answer.status_code, answer.json["state"]) == (202, "INITIATED")
    assert "Preference-Applied" not in answer.headers, "nobody waits for three days"
    follows(shop.get("/openapi.json").json, "/v1/payments", "post", answer)
    shown = shop.get(answer.json["links"]["self"]).json
    assert (shown["scheduled_at"], shown["off_session"]) == (at, True)
    assert shop.get("/v1/payments").json["data"][0]["scheduled_at"] == at
    job = shop.get(f"/v1/jobs/{answer.json['job']['id']}").json
    assert (job["status"], job["run_at"]) == ("queued", at)
    assert api.settle(*SUCCEEDED) == [], "no worker is given it before"
    its_time_comes(api.database)
    assert api.settle(*SUCCEEDED) == [answer.json["id"]]
    again = shop.post_payment(scheduled_at=at, key="k", prefer="wait=10")
    assert (again.status_code, again.json["state"]) == (200, "SUCCESS")


def test_it_can_be_cancelled_until_then_and_nothing_is_ever_sent(api: Api, shop: Merchant) -> None:
    payment = shop.accepted(scheduled_at=ahead(days=3))
    cancelled = shop.post(
        f"/v1/payments/{payment['id']}/cancel", json={}, headers={"Idempotency-Key": "cancel-1"}
    )
    assert cancelled.json["status"] == "succeeded"
    assert shop.get(payment["links"]["self"]).json["state"] == "CANCELLED"
    its_time_comes(api.database)
    gateway = ScriptedGateway("sandbox_a")
    run(pipeline(api.database, gateway), "payments")
    assert gateway.calls == []


def test_a_repetition_is_answered_as_the_first_was_even_when_the_time_is_over(
    api: Api, shop: Merchant
) -> None:
    at = ahead(days=3)
    first = shop.post_payment(scheduled_at=at, key="k")
    its_time_comes(api.database)
    api.database.run(
        lambda connection: connection.exec_driver_sql(f"UPDATE payments SET scheduled_at = '{at}'")
    )
    assert shop.post_payment(scheduled_at=at, key="k").data == first.data
    assert shop.post_payment(scheduled_at=ahead(days=4), key="k").json["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("given", "pointer", "code"),
    [
        ({"scheduled_at": ahead(days=-1)}, "/scheduled_at", "out_of_range"),
        ({"scheduled_at": ahead(days=91)}, "/scheduled_at", "out_of_range"),
        ({"scheduled_at": "tomorrow"}, "/scheduled_at", "invalid_format"),
        ({"scheduled_at": ahead(days=1), "off_session": False}, "/off_session", "not_together"),
        (
            {"scheduled_at": ahead(days=1), "payment_method": {"type": "upi", "vpa": "asha@okbank"}},
            "/payment_method",
            "not_together",
        ),
    ],
)
def test_what_can_not_be_charged_then_is_refused(
    api: Api, shop: Merchant, given: dict[str, Any], pointer: str, code: str
) -> None:
    answer = shop.post_payment(**given)
    assert (answer.status_code, codes(answer)) == (422, [(pointer, code)])
    assert rows(api.database, "SELECT FROM payments") == []


def test_in_a_batch_each_line_has_its_own_time(api: Api, shop: Merchant) -> None:
    body = '{"amount": 1, "currency": "USD", "payment_method": {"type": "card", "token": "tok_visa"}'
    times = (ahead(days=1), ahead(days=-1), None)
    lines = [
        f'{body}, "idempotency_key": "line-{number}"' + (f', "scheduled_at": "{at}"}}' if at else "}")
        for number, at in enumerate(times)
    ]
    answer = shop.post(
        "/v1/payments/batches",
        data="\n".join(lines).encode(),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert [line["outcome"] for line in answer.json["data"]] == ["accepted", "refused", "accepted"]
    assert len(api.settle(*SUCCEEDED)) == 1


def test_whoever_asks_about_it_does_not_have_it_charged_early(database: Database) -> None:
    later = datetime.now(UTC) + timedelta(days=3)
    payment_id = accept_one(database, scheduled_at=later, off_session=True).payment.id
    gateway = ScriptedGateway("a")
    parts = pipeline(database, gateway)
    database.run(lambda connection: ask_now(connection, payment_id))
    run(parts, "payments")
    database.run(lambda connection: connection.exec_driver_sql("UPDATE jobs SET run_at = now()"))
    run(parts, "payments")
    assert gateway.calls == []
    (job,) = rows(database, "SELECT status, run_at FROM jobs")
    assert job["status"] == "waiting"
    assert abs(job["run_at"] - later) < timedelta(seconds=5)
    its_time_comes(database)
    run(parts, "payments")
    assert [request.operation for request in gateway.calls] == ["process"]
    assert story_of(database, payment_id)[-1] == "SUCCEEDED"


def test_nobody_takes_it_for_stuck(database: Database) -> None:
    accept_one(database, scheduled_at=datetime.now(UTC) + timedelta(days=3))
    database.run(
        lambda connection: connection.exec_driver_sql("UPDATE jobs SET created_at = now() - interval '1 day'")
    )
    with database.read() as connection:
        assert list_stuck(connection, Thresholds(), limit=10).found == []
        assert due_by_queue(connection, limit=10) == {}


def test_what_comes_next_is_its_time(database: Database) -> None:
    at = datetime.now(UTC) + timedelta(days=3)
    payment_id = accept_one(database, scheduled_at=at).payment.id
    with database.read() as connection:
        case = read_case_file(connection, None, payment_id)
    assert case is not None
    told = outlook(case)
    assert (told.what, told.at) == ("it is charged at its time, and can be cancelled until then", at)
