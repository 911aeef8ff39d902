"""Looking at payments, jobs and their history: filters, pages, versions, and nobody else's objects."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from sqlalchemy import insert
from support.api_client import SUCCEEDED, Api, Merchant, body_of, start_api

from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.payment import Fact
from aegis_worker.domain.transitions import EventType
from aegis_worker.persistence.tables.payments import attempts
from aegis_worker.queries.history import list_attempts, list_events
from aegis_worker.queries.jobs import get_job, list_jobs
from aegis_worker.queries.payments import PaymentFilters, get_payment, list_payments

ERROR = describe_error("insufficient_funds", gateway="sandbox_b", gateway_code="51", message="no")
FAILED = Fact(EventType.FAILED, {"last_error": ERROR, "gateway": "sandbox_b"})
IN_DOUBT = Fact(EventType.IN_DOUBT, {"gateway": "sandbox_a", "reason": "read timeout"})


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json["data"]]


def add_attempt(api: Api, payment_id: str, number: int, **more: Any) -> None:
    row = {
        "payment_id": payment_id,
        "operation": "process",
        "number": number,
        "gateway": "sandbox_a",
        "gateway_key": f"secret-gateway-key-{number}",
        "request_hash": "hash",
        "status": "SENT",
        "lease_epoch": 1,
        **more,
    }
    api.database.run(lambda connection: connection.execute(insert(attempts).values(row)))


def test_a_payment_is_shown_as_it_stands(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted(reference="order-1")
    shown = shop.get(accepted["links"]["self"])
    job = accepted.pop("job")
    assert shown.json == accepted
    api.settle(*SUCCEEDED)
    ended = shop.get(accepted["links"]["self"]).json
    assert (ended["state"], ended["version"], ended["gateway_ref"]) == ("SUCCESS", 3, "ch_1")
    moved = {name: minor for name, minor in ended["amounts"].items() if minor}
    assert moved == {"authorized": 1999, "captured": 1999, "refundable": 1999}
    assert ended["updated_at"] > accepted["updated_at"] == accepted["created_at"] == ended["created_at"]
    assert shop.get(job["links"]["self"]).json["status"] == "succeeded"


def test_times_are_rfc_3339_in_utc_to_the_millisecond(shop: Merchant) -> None:
    created_at = shop.accepted()["created_at"]
    assert len(created_at) == len("2026-11-21T09:00:00.123Z")
    assert created_at.endswith("Z")


def test_a_decline_is_told_on_the_payment_and_is_no_http_error(api: Api, shop: Merchant) -> None:
    path = shop.accepted()["links"]["self"]
    api.settle(FAILED, status="failed")
    shown = shop.get(path)
    assert shown.status_code == 200
    assert shown.json["last_error"] == ERROR


def test_a_version_that_is_known_already_is_not_sent_again(api: Api, shop: Merchant) -> None:
    path = shop.accepted()["links"]["self"]
    first = shop.get(path)
    assert first.headers["ETag"] == '"1"'
    for known in ('"1"', 'W/"1"', '"0", "1"', "*"):
        again = shop.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == '"1"'
        assert again.headers["Request-Id"]
    api.settle(*SUCCEEDED)
    moved = shop.get(path, headers={"If-None-Match": '"1"'})
    assert (moved.status_code, moved.headers["ETag"]) == (200, '"3"')


def test_expanding_includes_the_history(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted()
    add_attempt(
        api, accepted["id"], 1, status="APPROVED", gateway_ref="ch_1", latency_ms=12.5, outcome={"a": 1}
    )
    api.settle(*SUCCEEDED)
    path = accepted["links"]["self"]
    both = shop.get(f"{path}?expand=attempts,events")
    assert "ETag" not in both.headers
    assert [event["type"] for event in both.json["events"]["data"]] == [
        "payment.initiated",
        "payment.processing",
        "payment.succeeded",
    ]
    (attempt,) = both.json["attempts"]["data"]
    assert (attempt["status"], attempt["gateway_ref"], attempt["latency_ms"]) == ("APPROVED", "ch_1", 12.5)
    assert set(shop.get(f"{path}?expand=events").json) == set(both.json) - {"attempts"}
    assert both.json["events"] == shop.get(accepted["links"]["events"]).json
    assert both.json["attempts"] == shop.get(accepted["links"]["attempts"]).json


def test_the_key_sent_to_a_gateway_is_not_shown(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted()
    add_attempt(api, accepted["id"], 1)
    assert "secret-gateway-key" not in shop.get(accepted["links"]["attempts"]).text


def test_attempts_come_in_the_order_they_were_sent(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted()
    for number in (1, 2, 3):
        add_attempt(api, accepted["id"], number)
    shown = shop.get(accepted["links"]["attempts"]).json
    assert [attempt["number"] for attempt in shown["data"]] == [1, 2, 3]


def test_events_come_page_by_page_without_gaps(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted()
    api.settle(*SUCCEEDED)
    path, seen, cursor = accepted["links"]["events"], [], None
    for expected_more in (True, False):
        page = shop.get(
            path, query_string={"limit": 2, **({"starting_after": cursor} if cursor else {})}
        ).json
        assert page["has_more"] is expected_more
        seen += [event["seq"] for event in page["data"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == ([1, 2, 3], None)


def test_payments_are_listed_newest_first_page_by_page(shop: Merchant) -> None:
    made = [shop.accepted()["id"] for _ in range(5)]
    assert ids(shop.get("/v1/payments")) == made[::-1]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = shop.get("/v1/payments", query_string=query)
        seen += ids(page)
        if not page.json["has_more"]:
            assert page.json["next_cursor"] is None
            break
        assert page.json["next_cursor"] == seen[-1]
        query["starting_after"] = page.json["next_cursor"]
    assert seen == made[::-1]


def test_a_page_that_is_exactly_full_is_the_last(shop: Merchant) -> None:
    made = [shop.accepted()["id"] for _ in range(2)]
    page = shop.get("/v1/payments?limit=2")
    assert ids(page) == made[::-1]
    assert page.json["has_more"] is False


def test_a_payment_made_while_paging_does_not_shift_the_pages(shop: Merchant) -> None:
    made = [shop.accepted()["id"] for _ in range(4)]
    first = shop.get("/v1/payments?limit=2").json
    shop.accepted()
    second = shop.get("/v1/payments", query_string={"limit": 2, "starting_after": first["next_cursor"]})
    assert ids(second) == made[1::-1]


def test_every_filter_narrows_the_list(api: Api, shop: Merchant) -> None:
    failed = shop.accepted(amount=100)["id"]
    api.settle(FAILED, status="failed")
    paid = shop.accepted(amount=1999)["id"]
    api.settle(*SUCCEEDED)
    doubtful = shop.accepted(amount=300)["id"]
    api.settle(IN_DOUBT, status="waiting")
    upi = {"type": "upi", "vpa": "asha@okbank"}
    plain = shop.accepted(
        amount=500, currency="INR", payment_method=upi, reference="r-1", customer={"id": "c 1"}
    )
    made = [failed, paid, doubtful, plain["id"]]
    since = shop.get(f"/v1/payments/{doubtful}").json["created_at"]
    for query, expected in [
        ({}, made),
        ({"state": "SUCCESS"}, [paid]),
        ({"state": "INITIATED"}, [doubtful, plain["id"]]),
        ({"state": "CANCELLED"}, []),
        ({"gateway": "sandbox_b"}, [failed]),
        ({"reference": "r-1"}, [plain["id"]]),
        ({"reference": "r-2"}, []),
        ({"customer_id": "c 1"}, [plain["id"]]),
        ({"currency": "INR"}, [plain["id"]]),
        ({"amount[gte]": 300}, [paid, doubtful, plain["id"]]),
        ({"amount[lte]": 300}, [failed, doubtful]),
        ({"amount[gte]": 300, "amount[lte]": 500}, [doubtful, plain["id"]]),
        ({"created[gte]": since}, [doubtful, plain["id"]]),
        ({"created[lt]": since}, [failed, paid]),
        ({"created[lt]": since.replace("Z", "+00:00")}, [failed, paid]),
        ({"certainty": "unknown"}, [doubtful]),
        ({"certainty": "known"}, [failed, paid, plain["id"]]),
        ({"error_code": "insufficient_funds"}, [failed]),
        ({"error_code": "stolen_card"}, []),
        ({"state": "INITIATED", "currency": "USD"}, [doubtful]),
    ]:
        assert ids(shop.get("/v1/payments", query_string=query)) == expected[::-1], query


WRONG_QUERIES = (
    "staet=SUCCESS",
    "limit=0",
    "limit=1&limit=2",
    "state=%00",
    "reference=%00",
    "reference=a%0Ab",
    "=1",
)


def test_a_wrong_query_is_refused_by_parameter(shop: Merchant, subtests: pytest.Subtests) -> None:
    for path, query in itertools.product(("/v1/payments", "/v1/jobs"), WRONG_QUERIES):
        with subtests.test(path=path, query=query):
            answer = shop.get(f"{path}?{query}")
            assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
            assert answer.json["errors"][0]["parameter"] == query.split("=")[0]


def test_jobs_are_listed_by_status_and_payment(api: Api, shop: Merchant) -> None:
    first = shop.accepted()
    api.settle(*SUCCEEDED)
    second = shop.accepted()
    assert ids(shop.get("/v1/jobs")) == [second["job"]["id"], first["job"]["id"]]
    assert ids(shop.get("/v1/jobs?status=queued")) == [second["job"]["id"]]
    assert ids(shop.get(f"/v1/jobs?payment_id={first['id']}")) == [first["job"]["id"]]
    page = shop.get("/v1/jobs?limit=1")
    assert ids(page) == [second["job"]["id"]]
    assert ids(shop.get(f"/v1/jobs?starting_after={page.json['next_cursor']}")) == [first["job"]["id"]]


def test_a_job_tells_what_became_of_it(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted()
    path = accepted["job"]["links"]["self"]
    queued = shop.get(path).json
    assert (queued["status"], queued["operation"], queued["finished_at"]) == ("queued", "process", None)
    api.settle(*SUCCEEDED)
    done = shop.get(path).json
    assert (done["status"], done["result"]) == ("succeeded", {"state": "SUCCESS"})
    assert done["finished_at"] >= done["created_at"]
    assert done["links"]["payment"] == accepted["links"]["self"]


def test_a_sync_makes_a_job_that_asks_the_gateway(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted()
    api.settle(*SUCCEEDED)
    api.told.queues.clear()
    answer = shop.post(f"{accepted['links']['self']}/sync")
    job = answer.json["job"]
    assert (answer.status_code, job["operation"], job["status"]) == (202, "sync", "queued")
    assert answer.headers["Location"] == job["links"]["self"]
    assert answer.headers["Retry-After"] == "1"
    assert shop.get(job["links"]["self"]).json == job
    assert api.told.queues == ["verify"]
    assert shop.post(f"{accepted['links']['self']}/sync").json["job"]["id"] == job["id"]


def test_a_sync_brings_a_job_in_review_forward(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted()
    api.settle(IN_DOUBT, status="review")
    job = shop.post(f"{accepted['links']['self']}/sync").json["job"]
    assert (job["id"], job["status"]) == (accepted["job"]["id"], "waiting")


def test_another_merchants_objects_do_not_exist(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted(reference="order-1")
    other = api.merchant("mer_b")
    path = accepted["links"]["self"]
    gets = [
        path,
        f"{path}?expand=events",
        f"{path}/events",
        f"{path}/attempts",
        accepted["job"]["links"]["self"],
    ]
    answers = [other.get(one) for one in gets] + [other.post(f"{path}/sync")]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(404, "not_found")] * 6
    assert ids(other.get("/v1/payments")) == ids(other.get("/v1/jobs")) == []
    assert ids(other.get("/v1/payments?reference=order-1")) == []
    assert ids(other.get(f"/v1/jobs?payment_id={accepted['id']}")) == []
    assert shop.get("/v1/jobs?status=queued").json["data"]


def test_what_does_not_exist_is_a_404(shop: Merchant, subtests: pytest.Subtests) -> None:
    paths = ("/v1/payments/{}", "/v1/payments/{}/events", "/v1/payments/{}/attempts", "/v1/jobs/{}")
    names = ("pay_" + "0" * 32, "job_" + "0" * 32, "x", "%00", "pay_%00", "%ED%A0%80", "..", "'")
    for path, name in itertools.product(paths, names):
        with subtests.test(path=path, name=name):
            answer = shop.get(path.format(name))
            assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_operators_read_every_merchants_objects(api: Api, shop: Merchant) -> None:
    mine, theirs = shop.accepted(), api.merchant("mer_b").accepted()
    add_attempt(api, theirs["id"], 1)
    with api.database.read() as connection:
        page = list_payments(connection, None, PaymentFilters(), limit=10)
        assert [row.payment.id for row in page.rows] == [theirs["id"], mine["id"]]
        stored = get_payment(connection, None, theirs["id"])
        assert stored is not None
        assert stored.payment.merchant_id == "mer_b"
        assert [job.payment_id for job in list_jobs(connection, None, limit=10).rows] == [
            theirs["id"],
            mine["id"],
        ]
        job = get_job(connection, None, theirs["job"]["id"])
        assert job is not None
        assert job.merchant_id == "mer_b"
        assert len(list_events(connection, None, theirs["id"], limit=10)) == 1
        assert len(list_attempts(connection, None, theirs["id"], limit=10)) == 1
        assert list_attempts(connection, Owner("mer_a", "test"), theirs["id"], limit=10) == []


def test_it_is_ready_when_the_schema_is_the_one_of_the_code(api: Api, database_url: str) -> None:
    ready = api.app.test_client().get("/readyz")
    assert (ready.status_code, ready.json) == (
        200,
        {"status": "ready", "checks": {"database": "ok", "schema": "ok", "redis": "ok"}},
    )
    without_redis = start_api(database_url, redis_ready=False).app.test_client().get("/readyz")
    assert (without_redis.status_code, body_of(without_redis)["checks"]["redis"]) == (200, "unreachable")


def test_it_is_not_ready_before_the_schema_is_migrated(api: Api) -> None:
    api.database.run(lambda connection: connection.exec_driver_sql("DELETE FROM alembic_version"))
    answer = api.app.test_client().get("/readyz")
    assert (answer.status_code, body_of(answer)["code"]) == (503, "not_ready")
    assert body_of(answer)["checks"]["schema"].startswith("at nothing, this version needs")
