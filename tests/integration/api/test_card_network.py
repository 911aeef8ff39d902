"""The network of a card, through the API: optional, kept as given, part of what an idempotency key stands for."""

from __future__ import annotations

import json

import pytest
from support.api_client import CARD, Api, Merchant, codes, start_api
from support.command_line import Aegis, aegis, install, served

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.api_keys import create_key

__all__ = ["aegis"]

MASTERCARD = {**CARD, "network": "mastercard"}


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def test_a_network_comes_back_as_it_was_given_and_none_where_none_was(shop: Merchant) -> None:
    for method in (MASTERCARD, CARD):
        accepted = shop.accepted(payment_method=method)
        assert accepted["payment_method"] == method
        assert shop.get(accepted["links"]["self"]).json["payment_method"] == method


def test_the_same_key_with_another_network_is_another_request(shop: Merchant) -> None:
    first = shop.post_payment(key="one", payment_method=MASTERCARD)
    again = shop.post_payment(key="one", payment_method=MASTERCARD)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.data == first.data
    for method in (CARD, {**CARD, "network": "visa"}):
        refused = shop.post_payment(key="one", payment_method=method)
        assert (refused.status_code, refused.json["code"]) == (422, "idempotency_key_reused")


def test_a_network_that_is_none_is_refused_by_itself_and_in_a_batch(shop: Merchant) -> None:
    wrong = {**CARD, "network": "maestro"}
    assert codes(shop.post_payment(payment_method=wrong)) == [("/payment_method/network", "invalid_value")]
    lines = [
        {"idempotency_key": f"key-{n}", "amount": 1999, "currency": "USD", "payment_method": method}
        for n, method in enumerate((MASTERCARD, wrong))
    ]
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    answer = shop.post(
        "/v1/payments/batches", data=body, headers={"Content-Type": "application/x-ndjson"}
    ).json
    taken, refused = answer["data"]
    assert shop.get(f"/v1/payments/{taken['payment_id']}").json["payment_method"] == MASTERCARD
    assert refused["problem"]["errors"][0]["pointer"] == "/payment_method/network"


def test_the_command_line_gives_the_network_on(
    aegis: Aegis, api: Api, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, database_url)
    _, key = create_key(api.database, "shop", "test")
    with served(api.app) as url:
        options = ("--amount", "1999", "--currency", "USD", "--token", "tok_ok", "--network", "rupay")
        ran = aegis("pay", *options, "--wait", "0", "--url", url, "--key", key, "--json")
    assert ran.exit_code == 0, ran.err
    assert ran.json["payment"]["payment_method"] == {"type": "card", "token": "tok_ok", "network": "rupay"}


def test_a_payment_accepted_before_there_were_networks_is_replayed_with_the_same_body() -> None:
    request = GatewayRequest(
        operation=Operation.PROCESS,
        payment_id="pay_1",
        idempotency_key="pay_1-process-1",
        terms=PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "tok_visa"}),
    )
    as_stored_then = "1b09e9adf1569588e0a0ba28a4a679503637f90fd888c8cf62161a411643e618"
    assert request.fingerprint() == as_stored_then
