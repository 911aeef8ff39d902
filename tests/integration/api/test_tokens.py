"""Tokens by gateway over HTTP: whose a token is, what is refused for it, and that a repetition is told what was told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.api_client import Api, codes, start_api
from support.scripted_gateway import ScriptedGateway

BY_TOKEN = {"card": frozenset({"token"}), "upi": frozenset({"vpa"})}


def real(name: str) -> ScriptedGateway:
    return ScriptedGateway(name, methods=BY_TOKEN, bare_tokens="")


@pytest.fixture
def api(database_url: str) -> Api:
    sandbox = ScriptedGateway("sandbox_a", methods=BY_TOKEN, bare_tokens="tok_.+")
    return start_api(database_url, sandbox, real("stripe"), real("adyen"))


def card(**more: Any) -> dict[str, Any]:
    return {"type": "card", **more}


@pytest.mark.parametrize(
    "method",
    [
        card(token="tok_visa"),
        card(token="pm_1", gateway="stripe"),
        card(tokens={"adyen": "ad_1", "stripe": "pm_1"}, network="visa"),
        card(token="tok_" + "x" * 508),
    ],
)
def test_a_token_with_its_gateway_is_accepted_and_shown_as_given(api: Api, method: dict[str, Any]) -> None:
    shop = api.merchant()
    accepted = shop.accepted(payment_method=method)
    assert accepted["payment_method"] == method
    assert shop.get(accepted["links"]["self"]).json["payment_method"] == method


def test_a_bare_token_of_the_only_gateway_that_can_have_issued_it_is_shown_with_that_gateway(
    database_url: str,
) -> None:
    shop = start_api(database_url, real("stripe")).merchant()
    posted = shop.post_payment(payment_method=card(token="pm_1"), key="k")
    assert posted.json["payment_method"] == card(token="pm_1", gateway="stripe")
    assert shop.post_payment(payment_method=card(token="pm_1"), key="k").data == posted.data


@pytest.mark.parametrize(
    ("method", "pointer", "code"),
    [
        (card(token="pm_1"), "/payment_method/token", "ambiguous_token"),
        (card(token="pm_1", gateway="strype"), "/payment_method/gateway", "unknown_gateway"),
        (card(tokens={"strype": "pm_1"}), "/payment_method/tokens/strype", "unknown_gateway"),
        (card(), "/payment_method/token", "required"),
        ({"type": "upi"}, "/payment_method/vpa", "required"),
        (card(token="a b"), "/payment_method/token", "invalid_format"),
    ],
)
def test_what_is_wrong_with_a_payment_method_is_told_with_pointer_and_code(
    api: Api, method: dict[str, Any], pointer: str, code: str
) -> None:
    shop = api.merchant()
    answer = shop.post_payment(payment_method=method)
    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
    assert [(fault["pointer"], fault["code"]) for fault in answer.json["errors"]] == [(pointer, code)]
    line = {"amount": 1, "currency": "USD", "payment_method": method, "idempotency_key": "k"}
    batch = shop.post(
        "/v1/payments/batches", data=json.dumps(line), headers={"Content-Type": "application/x-ndjson"}
    )
    (told,) = batch.json["data"]
    assert (told["outcome"], told["problem"]["errors"]) == ("refused", answer.json["errors"])
    assert shop.get("/v1/payments").json["data"] == []


@pytest.mark.parametrize("token", ["4111111111111111", "pm_4111 1111 1111 1111", "tok-4111-1111-1111-1111"])
@pytest.mark.parametrize("given", ["token", "tokens"])
def test_no_card_number_passes_for_a_token(api: Api, token: str, given: str) -> None:
    method = card(**{given: token if given == "token" else {"stripe": token}})
    answer = api.merchant().post_payment(payment_method=method)
    assert (answer.status_code, answer.json["code"]) == (422, "sensitive_data_rejected")
    where = f"/payment_method/{given}" + ("/stripe" if given == "tokens" else "")
    assert codes(answer) == [(where, "card_number")]


def test_a_repetition_is_told_what_was_told_also_where_the_gateway_is_gone_since(database_url: str) -> None:
    api = start_api(database_url, real("stripe"))
    merchant = api.merchant()
    method = card(token="pm_1", gateway="stripe")
    posted = merchant.post_payment(payment_method=method, key="k")
    later = start_api(database_url, real("adyen"))
    again = type(merchant)(merchant.merchant_id, merchant.key, later.app.test_client())
    repeated = again.post_payment(payment_method=method, key="k")
    assert (repeated.status_code, repeated.data) == (202, posted.data)
    assert repeated.headers["Idempotent-Replayed"] == "true"
    assert again.post_payment(payment_method=method, key="other").status_code == 422
    reused = again.post_payment(payment_method=card(token="pm_2", gateway="stripe"), key="k")
    assert reused.json["code"] == "idempotency_key_reused"
