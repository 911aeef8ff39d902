"""Cancelling over HTTP, and what a payment's captures and refunds look like beside it."""

from __future__ import annotations

import pytest
from support.api_client import CHARGED, HELD, Api, Merchant, Reply, start_api
from support.scripted_gateway import ScriptedGateway


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url, ScriptedGateway("sandbox_a"))


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant(scopes=["refunds:write"])


def cancel(shop: Merchant, payment_id: str, key: str = "cancel-1") -> Reply:
    return shop.post(f"/v1/payments/{payment_id}/cancel", json={}, headers={"Idempotency-Key": key})


def test_a_payment_of_which_nothing_was_sent_is_cancelled_in_the_answer(api: Api, shop: Merchant) -> None:
    payment = shop.accepted()
    answer = cancel(shop, payment["id"])
    assert (answer.status_code, answer.json["status"], answer.json["job"]) == (202, "succeeded", None)
    shown = shop.get(payment["links"]["self"]).json
    assert shown["state"] == "CANCELLED"
    assert shop.get(payment["job"]["links"]["self"]).json["status"] == "failed"
    again = cancel(shop, payment["id"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json["id"] == answer.json["id"]


def test_a_hold_is_released_by_a_job(api: Api, shop: Merchant) -> None:
    payment = shop.accepted(capture_method="manual")
    api.settle(*HELD)
    answer = cancel(shop, payment["id"])
    assert (answer.json["status"], answer.json["job"]["operation"]) == ("requested", "void")
    assert shop.get(answer.headers["Location"]).json["object"] == "void"
    refused = cancel(shop, payment["id"], "cancel-2")
    assert (refused.status_code, refused.json["code"]) == (409, "job_open")


def test_a_payment_that_succeeded_is_not_cancelled(api: Api, shop: Merchant) -> None:
    payment = shop.accepted()
    api.settle(*CHARGED)
    refused = cancel(shop, payment["id"])
    assert (refused.status_code, refused.json["code"], refused.json["allowed"]) == (
        409,
        "invalid_state",
        ["refund"],
    )


def test_a_payment_is_shown_with_its_captures_and_refunds(api: Api, shop: Merchant) -> None:
    payment = shop.accepted()
    api.settle(*CHARGED)
    path, headers = f"/v1/payments/{payment['id']}", {"Idempotency-Key": "refund-1"}
    refund = shop.post(f"{path}/refunds", json={"amount": 500}, headers=headers).json
    shown = shop.get(f"{path}?expand=captures,refunds").json
    assert shown["captures"]["data"] == []
    assert [row["id"] for row in shown["refunds"]["data"]] == [refund["id"]]
