"""Captures over HTTP: accepted once per key, reserved at once, listed, and refused with what is left."""

from __future__ import annotations

from typing import Any

import pytest
from support.api_client import HELD, SUCCEEDED, Api, Merchant, Reply, start_api
from support.scripted_gateway import ScriptedGateway

from aegis_worker.gateways.kit.amounts import Amounts


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("sandbox_a")


@pytest.fixture
def api(database_url: str, gateway: ScriptedGateway) -> Api:
    return start_api(database_url, gateway)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def held(api: Api, shop: Merchant, **fields: Any) -> str:
    payment = shop.accepted(capture_method="manual", **fields)
    api.settle(*HELD)
    return str(payment["id"])


def capture(shop: Merchant, payment_id: str, key: str = "capture-1", **body: Any) -> Reply:
    path, headers = f"/v1/payments/{payment_id}/captures", {"Idempotency-Key": key}
    return shop.post(path, json=body, headers=headers)


def test_a_capture_is_accepted_with_its_job_and_reserved(api: Api, shop: Merchant) -> None:
    payment_id = held(api, shop)
    answer = capture(shop, payment_id, amount=500)
    assert answer.status_code == 202
    body = answer.json
    assert (body["object"], body["amount"], body["status"], body["final"]) == (
        "capture",
        500,
        "requested",
        False,
    )
    assert body["job"]["operation"] == "capture"
    assert answer.headers["Location"] == body["links"]["self"]
    assert api.told.queues[-1] == "payments"
    shown = shop.get(body["links"]["payment"]).json["amounts"]
    assert (shown["capturing"], shown["capturable"]) == (500, 1499)
    assert shop.get(body["links"]["self"]).json == {name: body[name] for name in body if name != "job"}


def test_without_an_amount_it_is_all_that_is_left_and_final(api: Api, shop: Merchant) -> None:
    body = capture(shop, held(api, shop)).json
    assert (body["amount"], body["final"]) == (1999, True)


def test_a_second_one_waits_behind_the_first_without_a_job(api: Api, shop: Merchant) -> None:
    payment_id = held(api, shop)
    capture(shop, payment_id, amount=500)
    second = capture(shop, payment_id, "capture-2", amount=400).json
    assert (second["status"], second["job"]) == ("requested", None)


def test_the_same_key_replays_the_capture_and_another_body_is_refused(api: Api, shop: Merchant) -> None:
    payment_id = held(api, shop)
    first, again = capture(shop, payment_id, amount=500), capture(shop, payment_id, amount=500)
    assert again.status_code == 202
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["id"] == first.json["id"]
    other = capture(shop, payment_id, amount=501)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")


def test_more_than_is_left_is_refused_with_what_is_left(api: Api, shop: Merchant) -> None:
    payment_id = held(api, shop)
    capture(shop, payment_id, amount=1500)
    refused = capture(shop, payment_id, "capture-2", amount=500)
    assert (refused.status_code, refused.json["code"], refused.json["capturable"]) == (
        422,
        "amount_exceeds_capturable",
        499,
    )


def test_an_amount_between_the_gateways_steps_is_refused_and_not_rounded(
    api: Api, shop: Merchant, gateway: ScriptedGateway
) -> None:
    gateway.able(amounts=Amounts(steps={"BHD": 10}))
    payment_id = held(api, shop, currency="BHD", amount=1990)
    refused = capture(shop, payment_id, amount=1001)
    assert (refused.status_code, refused.json["code"]) == (422, "amount_step")
    assert capture(shop, payment_id, amount=1000).status_code == 202


def test_a_gateway_that_captures_once_takes_a_part_as_final_and_no_further_ones(
    api: Api, shop: Merchant, gateway: ScriptedGateway
) -> None:
    gateway.able(several_captures=False)
    payment_id = held(api, shop)
    refused = capture(shop, payment_id, amount=500, final=False)
    assert (refused.status_code, refused.json["code"]) == (422, "unsupported_by_gateway")
    assert capture(shop, payment_id, amount=500).json["final"] is True


def test_a_payment_that_holds_nothing_says_what_it_takes(api: Api, shop: Merchant) -> None:
    payment = shop.accepted()
    api.settle(*SUCCEEDED)
    refused = capture(shop, payment["id"], amount=500)
    assert (refused.status_code, refused.json["code"]) == (409, "invalid_state")
    assert "capture" not in refused.json["allowed"]


def test_a_key_is_needed(api: Api, shop: Merchant) -> None:
    refused = shop.post(f"/v1/payments/{held(api, shop)}/captures", json={})
    assert (refused.status_code, refused.json["code"]) == (400, "idempotency_key_missing")


def test_captures_are_listed_newest_first_with_a_cursor(api: Api, shop: Merchant) -> None:
    payment_id = held(api, shop)
    ids = [capture(shop, payment_id, f"capture-{minor}", amount=minor).json["id"] for minor in (1, 2, 3)]
    page = shop.get(f"/v1/payments/{payment_id}/captures?limit=2").json
    assert [row["id"] for row in page["data"]] == ids[:0:-1]
    rest = shop.get(f"/v1/payments/{payment_id}/captures?starting_after={page['next_cursor']}").json
    assert [row["id"] for row in rest["data"]] == ids[:1]
    assert rest["has_more"] is False


def test_another_merchant_sees_and_takes_nothing(api: Api, shop: Merchant) -> None:
    payment_id = held(api, shop)
    made = capture(shop, payment_id, amount=500).json
    stranger = api.merchant("mer_b")
    assert stranger.get(made["links"]["self"]).status_code == 404
    assert stranger.get(f"/v1/payments/{payment_id}/captures").status_code == 404
    assert capture(stranger, payment_id, "capture-2", amount=1).status_code == 404
