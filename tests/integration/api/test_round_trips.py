"""What GET returns, POST takes: every field that can be written, with the nulls of what is not there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.api_client import CARD, SUCCEEDED, Api, Merchant, codes, start_api

WRITABLE = (
    "amount",
    "currency",
    "capture_method",
    "payment_method",
    "reference",
    "customer",
    "description",
    "statement_descriptor",
    "return_url",
    "metadata",
)
OPTIONAL = (
    "capture_method",
    "reference",
    "customer",
    "description",
    "statement_descriptor",
    "return_url",
    "metadata",
)
FULL: dict[str, Any] = {
    "reference": "order-7",
    "customer": {"id": "c", "email": "a@b.example", "name": "Asha", "country": "IN"},
    "description": "two\nlines",
    "statement_descriptor": "Shop & Co., 7#12",
    "return_url": "https://shop.example/back?x=1#top",
    "metadata": {"a.b-c": None, "n": 1.5, "t": True, "s": ""},
    "payment_method": {**CARD, "network": "visa"},
}


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def written(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: shown[name] for name in WRITABLE}


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields", [{}, FULL, {"customer": {}, "metadata": {}}], ids=["smallest", "full", "empty"]
)
@pytest.mark.parametrize("other", ["upi", "net_banking", "wallet", "pay_later", "card"])
def test_what_a_payment_shows_can_be_posted_again(
    api: Api, shop: Merchant, fields: dict[str, Any], other: str
) -> None:
    methods = {
        "upi": {"vpa": "asha@okbank"},
        "net_banking": {"bank_code": "HDFC"},
        "wallet": {"provider": "paytm"},
        "pay_later": {"provider": "klarna"},
    }
    if other in methods:
        fields = {**fields, "payment_method": {"type": other, **methods[other]}}
    accepted = shop.accepted(**fields)
    api.settle(*SUCCEEDED)
    shown = shop.get(accepted["links"]["self"]).json
    again = {**written(shown), **({"reference": "order-8"} if shown["reference"] else {})}
    posted = shop.post_body(again)
    assert posted.status_code == 202, posted.text
    assert written(posted.json) == again
    line = {**again, "reference": None, "idempotency_key": "b-1"}
    answer = shop.post(
        "/v1/payments/batches",
        data=json.dumps(line).encode(),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert answer.json["accepted"] == 1, answer.text


def test_null_is_the_same_as_leaving_out(shop: Merchant) -> None:
    plain = shop.post_payment(key="k")
    nulls = shop.post_payment(key="k", **dict.fromkeys(OPTIONAL))
    assert nulls.headers["Idempotent-Replayed"] == "true"
    assert nulls.data == plain.data
    inner = shop.accepted(customer=dict.fromkeys(("id", "email", "name", "country")))
    assert inner["customer"] == {}
    assert shop.accepted(payment_method={**CARD, "network": None})["payment_method"] == CARD


@pytest.mark.parametrize("field", ["amount", "currency", "payment_method"])
def test_null_is_refused_where_a_value_is_needed(shop: Merchant, field: str) -> None:
    assert codes(shop.post_payment(**{field: None})) == [(f"/{field}", "invalid_type")]


def test_a_null_in_metadata_is_a_value(shop: Merchant) -> None:
    assert shop.accepted(metadata={"a": None})["metadata"] == {"a": None}


@pytest.mark.parametrize("wanted", [None, [], ["payment.succeeded"]])
def test_what_a_webhook_endpoint_shows_can_be_posted_again(shop: Merchant, wanted: Any) -> None:
    first = shop.post(
        "/v1/webhook-endpoints", json={"url": "https://shop.example/a?b=c", "event_types": wanted}
    )
    assert first.status_code == 201, first.text
    (shown,) = shop.get("/v1/webhook-endpoints").json["data"]
    shop.delete(first.headers["Location"])
    again = shop.post("/v1/webhook-endpoints", json={name: shown[name] for name in ("url", "event_types")})
    assert again.status_code == 201
    assert again.json["event_types"] == shown["event_types"]


def test_what_routing_shows_can_be_put_again(api: Api) -> None:
    operator = api.operator()
    shown = operator.get("/v1/routing").json
    put = operator.open(
        "/v1/routing",
        method="PUT",
        json={"config": {**shown["config"], "fallback": []}, "source": None, "reason": "as it was"},
    )
    assert put.status_code == 200, put.text
    shown = put.json
    again = operator.open(
        "/v1/routing", method="PUT", json={name: shown[name] for name in ("config", "source", "reason")}
    )
    assert (again.status_code, again.json["config"]) == (200, shown["config"])
    back = operator.open(
        "/v1/routing", method="PUT", json={"config": None, "source": "file", "reason": "back"}
    )
    assert (back.status_code, back.json["source"]) == (200, "file")
    (version, *_) = operator.get("/v1/routing/versions").json["data"]
    assert version["config"] is None


def test_what_routing_shows_can_be_simulated(api: Api) -> None:
    operator = api.operator()
    config = {**operator.get("/v1/routing").json["config"], "fallback": []}
    answer = operator.post(
        "/v1/routing/simulate", json={"config": config, "since": None, "limit": None, "seed": None}
    )
    assert answer.status_code == 200, answer.text
