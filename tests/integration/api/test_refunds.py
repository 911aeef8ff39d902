"""Refunds over HTTP: with a key that may refund, once per key for good, and never more than was captured."""

from __future__ import annotations

from typing import Any

import pytest
from support.api_client import CHARGED, Api, Merchant, Reply, start_api
from support.payments import pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.purge import purge


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url, ScriptedGateway("sandbox_a"))


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant(scopes=["refunds:write"])


def paid(api: Api, shop: Merchant) -> str:
    payment = shop.accepted()
    api.settle(*CHARGED)
    return str(payment["id"])


def refund(shop: Merchant, payment_id: str, key: str = "refund-1", **body: Any) -> Reply:
    path, headers = f"/v1/payments/{payment_id}/refunds", {"Idempotency-Key": key}
    return shop.post(path, json=body, headers=headers)


def test_a_refund_is_accepted_with_its_job_and_reserved(api: Api, shop: Merchant) -> None:
    payment_id = paid(api, shop)
    answer = refund(shop, payment_id, amount=500)
    assert answer.status_code == 202
    body = answer.json
    assert (body["object"], body["amount"], body["status"]) == ("refund", 500, "requested")
    assert body["job"]["operation"] == "refund"
    assert answer.headers["Location"] == body["links"]["self"]
    shown = shop.get(body["links"]["payment"]).json["amounts"]
    assert (shown["refunding"], shown["refundable"]) == (500, 1499)
    assert shop.get(body["links"]["self"]).json == {name: body[name] for name in body if name != "job"}
    assert shop.get(f"/v1/payments/{payment_id}/refunds").json["data"][0]["id"] == body["id"]


def test_a_key_without_the_scope_refunds_nothing_and_may_look(api: Api, shop: Merchant) -> None:
    payment_id = paid(api, shop)
    made = refund(shop, payment_id, amount=500).json
    plain = api.merchant()
    refused = refund(plain, payment_id, "refund-2", amount=1)
    assert (refused.status_code, refused.json["code"]) == (403, "insufficient_scope")
    assert plain.get(made["links"]["self"]).status_code == 200


def test_more_than_is_left_is_refused_with_what_is_left(api: Api, shop: Merchant) -> None:
    payment_id = paid(api, shop)
    refund(shop, payment_id, amount=1500)
    refused = refund(shop, payment_id, "refund-2", amount=500)
    assert (refused.status_code, refused.json["code"], refused.json["refundable"]) == (
        422,
        "amount_exceeds_refundable",
        499,
    )
    assert refund(shop, payment_id, "refund-3").json["amount"] == 499


def test_a_refund_that_is_posted_again_after_80_hours_under_its_key_pays_once(database_url: str) -> None:
    gateway = ScriptedGateway("sandbox_a")
    api = start_api(database_url, gateway)
    shop, workers = api.merchant(scopes=["refunds:write"]), pipeline(api.database, gateway)
    payment_id = shop.accepted()["id"]
    run_until_quiet(workers)
    first = refund(shop, payment_id, amount=500)
    run_until_quiet(workers)
    age = "UPDATE idempotency_keys SET created_at = created_at - interval '80 hours'"
    api.database.run(lambda connection: connection.exec_driver_sql(age))
    assert purge(api.database, api.settings)["idempotency_keys"] > 0
    again = refund(shop, payment_id, amount=500)
    run_until_quiet(workers)
    assert (again.json["id"], again.headers["Idempotent-Replayed"]) == (first.json["id"], "true")
    shown = shop.get(f"/v1/payments/{payment_id}").json["amounts"]
    assert (shown["refunded"], shown["refunding"], len(gateway.reversals)) == (500, 0, 1)


def test_a_payment_that_took_nothing_has_nothing_to_refund(api: Api, shop: Merchant) -> None:
    refused = refund(shop, shop.accepted()["id"], amount=500)
    assert (refused.status_code, refused.json["code"]) == (409, "invalid_state")
