"""What a request brings about keeps its correlation id: its job, those that follow from that, and its webhooks."""

from __future__ import annotations

import re

import pytest
from support.api_client import HELD, SUCCEEDED, Api, Merchant, start_api
from support.merchant_server import a_sink
from support.outbox_events import claim_and_fan_out, settings_with
from support.payments import rows
from support.scripted_gateway import ScriptedGateway

from aegis_worker.delivery.webhooks.deliver import deliver_due
from aegis_worker.delivery.webhooks.endpoints import create_endpoint
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.domain.modes import Owner
from aegis_worker.persistence.asking import ask_now

OWN = "checkout-7f3a.9"
TRAILS = "SELECT operation, correlation_id FROM jobs WHERE payment_id = '{}' ORDER BY id"


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url, ScriptedGateway("sandbox_a"))


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def trails(api: Api, payment_id: str) -> list[tuple[str, str]]:
    return [tuple(row.values()) for row in rows(api.database, TRAILS.format(payment_id))]


def posted(shop: Merchant, correlation_id: str, header: str = "Correlation-Id", **fields: object) -> str:
    body = {
        "amount": 1999,
        "currency": "USD",
        "payment_method": {"type": "card", "token": "tok_visa"},
        **fields,
    }
    headers = {"Idempotency-Key": f"key of {correlation_id}", header: correlation_id}
    answer = shop.post("/v1/payments", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Correlation-Id"] == correlation_id
    return str(answer.json["id"])


@pytest.mark.parametrize("header", ["Correlation-Id", "X-Correlation-ID"])
def test_the_callers_own_is_given_back_and_kept_on_the_job(api: Api, shop: Merchant, header: str) -> None:
    assert trails(api, posted(shop, OWN, header)) == [("process", OWN)]


def test_without_one_it_is_the_id_of_the_request(api: Api, shop: Merchant) -> None:
    answer = shop.post_payment()
    given_back = answer.headers["Correlation-Id"]
    assert given_back == answer.headers["Request-Id"]
    assert trails(api, answer.json["id"]) == [("process", given_back)]


@pytest.mark.parametrize(
    "given",
    [
        "short",
        "x" * 129,
        "has a space",
        "line-feed\x0b-",
        "order-4242424242424242",
        "aegis_live_0123456789abcdef",
        "whsec_0123456789abcdef",
    ],
)
def test_one_that_may_not_be_repeated_is_replaced(shop: Merchant, given: str) -> None:
    for header in ("Correlation-Id", "Request-Id"):
        answer = shop.get("/v1/payments", headers={header: given})
        assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers[header])
        assert given not in str(answer.headers)


def test_each_line_of_a_batch_keeps_it(api: Api, shop: Merchant) -> None:
    card = b'{"type": "card", "token": "tok_visa"}'
    line = b'{"amount": 5, "currency": "USD", "payment_method": ' + card + b', "idempotency_key": "%d"}'
    headers = {"Content-Type": "application/x-ndjson", "Correlation-Id": OWN}
    answer = shop.post("/v1/payments/batches", data=b"\n".join(line % n for n in (1, 2)), headers=headers)
    assert answer.json["accepted"] == 2
    assert [trails(api, one["payment_id"]) for one in answer.json["data"]] == [[("process", OWN)]] * 2


def test_an_order_has_its_own_also_where_it_waits_for_its_job(api: Api, shop: Merchant) -> None:
    payment_id = posted(shop, "the-payment", capture_method="manual")
    api.settle(*HELD)
    for number in (1, 2):
        headers = {"Idempotency-Key": f"capture-{number}", "Correlation-Id": f"capture-{number}"}
        ordered = shop.post(f"/v1/payments/{payment_id}/captures", json={"amount": 5}, headers=headers)
        assert ordered.status_code == 202
    kept = rows(api.database, "SELECT correlation_id FROM captures ORDER BY number")
    assert [row["correlation_id"] for row in kept] == ["capture-1", "capture-2"]
    assert trails(api, payment_id) == [("process", "the-payment"), ("capture", "capture-1")]


def test_a_job_that_nobody_asked_for_goes_on_with_the_last_one(api: Api, shop: Merchant) -> None:
    payment_id = posted(shop, OWN)
    api.settle(*SUCCEEDED)
    api.database.run(lambda connection: ask_now(connection, payment_id))
    assert trails(api, payment_id) == [("process", OWN), ("sync", OWN)]


def test_who_asks_for_a_sync_gives_it_their_own(api: Api, shop: Merchant) -> None:
    payment_id = posted(shop, OWN)
    api.settle(*SUCCEEDED)
    shop.post(f"/v1/payments/{payment_id}/sync", headers={"Correlation-Id": "asked-again"})
    assert trails(api, payment_id) == [("process", OWN), ("sync", "asked-again")]


def test_webhooks_carry_it(api: Api, shop: Merchant) -> None:
    settings = settings_with(webhook_allow_private=True, webhook_timeout_s=5.0)
    with a_sink() as sink:
        create_endpoint(api.database, settings, Owner(shop.merchant_id, "test"), sink.url("/hooks"), ())
        posted(shop, OWN)
        api.settle(*SUCCEEDED)
        api.database.run(lambda connection: claim_and_fan_out(connection, limit=500, lease_s=60.0))
        sender = HttpSender(timeout_s=5.0, allow_private=True)
        deliver_due(api.database, sender, settings, limit=64, lease_s=60.0)
        sender.close()
        told = [(one.json["type"], one.headers["correlation-id"]) for one in sink.at("/hooks")]
    assert told == [(f"payment.{name}", OWN) for name in ("initiated", "processing", "succeeded")]
