"""Live and test never meet: a key sees and moves what belongs to its own mode, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.api_client import Api, Merchant, start_api
from support.payments import rows

from aegis_api.http.auth import require_merchant, require_scope
from aegis_worker.errors import InsufficientScope


@pytest.fixture
def api(database_url: str) -> Iterator[Api]:
    api = start_api(database_url)
    yield api
    api.database.dispose()


@pytest.fixture
def live(api: Api) -> Merchant:
    return api.merchant(mode="live")


@pytest.fixture
def testing(api: Api) -> Merchant:
    return api.merchant(mode="test")


def test_a_payment_has_the_mode_of_its_key_and_says_so(api: Api, live: Merchant, testing: Merchant) -> None:
    for merchant, mode in ((live, "live"), (testing, "test")):
        accepted = merchant.accepted()
        assert accepted["mode"] == mode
        assert merchant.get(f"/v1/payments/{accepted['id']}").json["mode"] == mode
        (event,) = merchant.get(f"/v1/payments/{accepted['id']}/events").json["data"]
        assert event["data"]["mode"] == mode
    assert {row["mode"] for row in rows(api.database, "SELECT mode FROM jobs")} == {"live", "test"}


@pytest.mark.parametrize("of_payment", ["", "/events", "/attempts", "/explain"])
def test_a_payment_of_the_other_mode_is_not_there(live: Merchant, testing: Merchant, of_payment: str) -> None:
    for one, other in ((live, testing), (testing, live)):
        accepted = one.accepted()
        path = f"/v1/payments/{accepted['id']}{of_payment}"
        assert one.get(path).status_code == 200
        assert other.get(path).status_code == 404


def test_neither_can_be_asked_about_with_a_key_of_the_other_mode(live: Merchant, testing: Merchant) -> None:
    accepted = live.accepted()
    assert testing.post(f"/v1/payments/{accepted['id']}/sync").status_code == 404
    assert testing.get(f"/v1/jobs/{accepted['job']['id']}").status_code == 404
    assert live.post(f"/v1/payments/{accepted['id']}/sync").status_code == 202
    assert live.get(f"/v1/jobs/{accepted['job']['id']}").status_code == 200


def test_lists_hold_what_is_of_the_keys_mode(live: Merchant, testing: Merchant) -> None:
    of_live, of_test = live.accepted(), testing.accepted()
    for merchant, accepted in ((live, of_live), (testing, of_test)):
        payments = merchant.get("/v1/payments").json["data"]
        assert [payment["id"] for payment in payments] == [accepted["id"]]
        jobs = merchant.get("/v1/jobs").json["data"]
        assert [job["id"] for job in jobs] == [accepted["job"]["id"]]


def test_the_same_idempotency_key_stands_for_a_payment_in_each_mode(
    live: Merchant, testing: Merchant
) -> None:
    first, second = (merchant.accepted(key="order-1") for merchant in (testing, live))
    assert first["id"] != second["id"]
    for merchant, accepted in ((testing, first), (live, second)):
        again = merchant.post_payment(key="order-1")
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.json["id"] == accepted["id"]


def test_the_same_reference_may_be_used_once_in_each_mode(live: Merchant, testing: Merchant) -> None:
    for merchant in (testing, live):
        merchant.accepted(reference="order-1")
        again = merchant.post_payment(reference="order-1")
        assert again.json["code"] == "duplicate_reference"


def test_a_batch_is_of_its_keys_mode(api: Api, live: Merchant) -> None:
    line = b'{"idempotency_key":"b-1","amount":1999,"currency":"USD","payment_method":{"type":"card","token":"tok_visa"}}'
    answer = live.post("/v1/payments/batches", data=line, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code < 300, answer.text
    assert rows(api.database, "SELECT mode FROM payments") == [{"mode": "live"}]


def test_an_operator_sees_both(api: Api, live: Merchant, testing: Merchant) -> None:
    operator = api.operator()
    for merchant in (live, testing):
        accepted = merchant.accepted()
        assert operator.get(f"/v1/ops/payments/{accepted['id']}/explain").status_code == 200


def test_what_needs_a_scope_is_refused_to_a_key_without_it(api: Api) -> None:
    plain, refunding = api.merchant(), api.merchant(scopes=("refunds:write",))
    for merchant, may in ((plain, False), (refunding, True)):
        with api.app.test_request_context(headers={"Authorization": f"Bearer {merchant.key}"}):
            api.app.preprocess_request()
            require_merchant()
            if may:
                require_scope("refunds:write")
            else:
                with pytest.raises(InsufficientScope, match="aegis keys create --scope refunds:write"):
                    require_scope("refunds:write")


def test_an_endpoint_belongs_to_the_mode_of_its_key(live: Merchant, testing: Merchant) -> None:
    url = "https://shop.example/hooks"
    made = {
        merchant.key: merchant.post("/v1/webhook-endpoints", json={"url": url}).json
        for merchant in (live, testing)
    }
    for merchant, mode in ((live, "live"), (testing, "test")):
        (endpoint,) = merchant.get("/v1/webhook-endpoints").json["data"]
        assert (endpoint["id"], endpoint["mode"]) == (made[merchant.key]["id"], mode)
    path = f"/v1/webhook-endpoints/{made[live.key]['id']}"
    assert testing.delete(path).status_code == 404
    assert live.delete(path).status_code == 204


def test_an_event_of_the_other_mode_is_not_there_to_be_posted_again(
    live: Merchant, testing: Merchant
) -> None:
    event_id = "evt_" + live.accepted()["id"].removeprefix("pay_") + "_1"
    assert testing.post(f"/v1/events/{event_id}/redeliver").status_code == 404
    assert live.post(f"/v1/events/{event_id}/redeliver").status_code == 202
