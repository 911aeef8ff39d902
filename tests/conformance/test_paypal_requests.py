"""PayPal's requests as values: PayPal's own OpenAPI documents take each, and know every field of them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from msgspec.structs import replace
from support.openapi import Referee, referee
from support.paypal_answers import (
    ACCOUNT,
    CAPTURE,
    CARD,
    CHARGE,
    CLIENT,
    CREATE,
    HOLD,
    ORDER,
    PAYMENT,
    REFUND,
    SECRET,
    TERMS,
    adapter,
    with_terms,
)

from aegis_worker.domain.money import Money
from aegis_worker.domain.payer import Payer
from aegis_worker.gateways.kit.flows import HttpCall
from aegis_worker.gateways.paypal.calls import Calls, look_up_capture, look_up_order, look_up_refund

ADDRESS = {
    "name": "Asha Rao",
    "line1": "12 MG Road",
    "line2": "Flat 3",
    "city": "Bengaluru",
    "state": "KA",
    "postal_code": "560001",
    "country": "IN",
}
SAVED_WALLET = {"type": "wallet", "provider": "paypal", "token": "vault-9"}
CALLS = Calls(CLIENT, SECRET, ACCOUNT, "https://shop.test/back")
OF_ORDERS = {
    "an order to approve": CALLS.create(CREATE),
    "an order to hold": CALLS.create(with_terms(CREATE, capture_method="manual")),
    "an order with all that can be said": CALLS.create(
        replace(
            with_terms(CREATE, description="Two seats, row 7 & 8", statement_descriptor="CINEMA 7"),
            payer=Payer({"shipping_address": ADDRESS}),
        )
    ),
    "an order in yen": CALLS.create(with_terms(CREATE, amount=Money(500, "JPY"))),
    "an order for a saved card": CALLS.create(with_terms(CREATE, payment_method=CARD)),
    "a card to authenticate": CALLS.confirm_source(with_terms(CREATE, payment_method=CARD), ORDER),
    "a charge": CALLS.charge(CHARGE),
    "a charge of a saved wallet": CALLS.charge(with_terms(CHARGE, payment_method=SAVED_WALLET)),
    "a charge without the payer": CALLS.charge(with_terms(CHARGE, payment_method=CARD, off_session=True)),
    "a hold": CALLS.charge(with_terms(CHARGE, capture_method="manual")),
}
OF_PAYMENTS = {
    "a capture of a part": CALLS.capture(replace(CAPTURE, final=False), HOLD),
    "a final capture": CALLS.capture(CAPTURE, HOLD),
    "a renewal": CALLS.reauthorize(CAPTURE, HOLD, TERMS.amount),
    "a refund": CALLS.refund(REFUND, "2GG279541U471931P"),
}


def orders() -> Referee:
    return referee("paypal/checkout_orders_v2.json")


def payments() -> Referee:
    return referee("paypal/payments_payment_v2.json")


def fields(call: HttpCall) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(call.body or b"")
    return body


@pytest.mark.parametrize("call", OF_ORDERS.values(), ids=OF_ORDERS)
def test_orders_takes_it(call: HttpCall) -> None:
    is_taken_by(orders(), call)


@pytest.mark.parametrize("call", OF_PAYMENTS.values(), ids=OF_PAYMENTS)
def test_payments_takes_it(call: HttpCall) -> None:
    is_taken_by(payments(), call)


def is_taken_by(document: Referee, call: HttpCall) -> None:
    """The document allows the call, and names everything in it."""
    assert document.misfits_of_call(call.method, call.path, call.body or b"") == []
    assert document.unknown_in_call(call.method, call.path, call.body or b"") == []
    ours = call.headers.keys() - {"Content-Type"}
    assert ours <= document.headers_of(call.method, call.path)


def test_what_paypal_does_not_know_is_noticed() -> None:
    call = OF_ORDERS["an order to approve"]
    wrong = json.dumps({**fields(call), "intent": "GIVE"}).encode()
    assert orders().misfits_of_call(call.method, call.path, wrong) != []
    wrong = json.dumps({**fields(call), "colour": "red"}).encode()
    assert orders().unknown_in_call(call.method, call.path, wrong) == [".colour"]


@pytest.mark.parametrize("call", [*OF_ORDERS.values(), *OF_PAYMENTS.values()], ids=[*OF_ORDERS, *OF_PAYMENTS])
def test_each_goes_out_under_its_own_key_where_paypal_takes_one(call: HttpCall) -> None:
    key = call.headers.get("PayPal-Request-Id")
    assert (key is None) == call.path.endswith("/confirm-payment-source")
    assert key is None or (key.startswith(PAYMENT) and len(key) <= 108)
    assert call.headers["Prefer"] == "return=representation"
    assert not call.only_reads


def test_a_void_takes_no_key() -> None:
    call = CALLS.void(HOLD)
    assert "paypal-request-id" not in payments().headers_of("POST", call.path)
    assert "PayPal-Request-Id" not in call.headers


@pytest.mark.parametrize(
    ("document", "call"),
    [(orders, look_up_order(ORDER)), (payments, look_up_capture("2G")), (payments, look_up_refund("1J"))],
)
def test_look_ups_go_where_paypal_shows_it(document: Any, call: HttpCall) -> None:
    document().headers_of(call.method, call.path)
    assert call.only_reads


def test_an_order_carries_our_references_and_who_is_paid() -> None:
    (unit,) = fields(CALLS.create(CREATE))["purchase_units"]
    assert (unit["invoice_id"], unit["custom_id"]) == (f"{PAYMENT}-a1", PAYMENT)
    assert unit["payee"] == {"merchant_id": ACCOUNT}
    assert unit["amount"] == {"currency_code": "USD", "value": "19.99"}


def test_an_order_that_is_only_made_charges_nothing_that_was_saved() -> None:
    for method in (CARD, SAVED_WALLET):
        assert "payment_source" not in fields(CALLS.create(with_terms(CREATE, payment_method=method)))


def test_a_saved_card_is_charged_as_what_the_networks_want_to_know_of_it() -> None:
    card = fields(OF_ORDERS["a charge without the payer"])["payment_source"]["card"]
    assert card["vault_id"] == "vault_7"
    assert card["stored_credential"]["payment_initiator"] == "MERCHANT"
    authenticated = fields(OF_ORDERS["a card to authenticate"])["payment_source"]["card"]
    assert authenticated["stored_credential"]["payment_initiator"] == "CUSTOMER"
    assert fields(CALLS.charge(with_terms(CHARGE, payment_method=CARD))) == {}


def test_three_d_secure_is_demanded_of_the_card_that_pays() -> None:
    """PayPal's document lags behind its guide: developer.paypal.com/docs/checkout/advanced/customize/3d-secure."""
    demanded = replace(with_terms(CREATE, payment_method=CARD), three_ds=True)
    call = CALLS.confirm_source(demanded, ORDER)
    card = fields(call)["payment_source"]["card"]
    assert card["attributes"] == {"verification": {"method": "SCA_ALWAYS"}}
    assert orders().misfits_of_call(call.method, call.path, call.body or b"") == []
    assert orders().unknown_in_call(call.method, call.path, call.body or b"") == [
        ".payment_source.card.attributes.verification"
    ]


def test_a_payer_comes_back_to_the_payments_own_page_or_to_the_shops() -> None:
    def back(**terms: Any) -> str:
        source = fields(CALLS.create(with_terms(CREATE, **terms)))["payment_source"]
        return str(source["paypal"]["experience_context"]["return_url"])

    assert back() == "https://shop.test/back?order=7"
    assert back(return_url=None) == "https://shop.test/back"


@pytest.mark.parametrize(
    ("money", "value"),
    [(Money(500, "JPY"), "500"), (Money(10_000, "HUF"), "100"), (Money(5, "EUR"), "0.05")],
)
def test_amounts_have_the_decimals_that_paypal_wants(money: Money, value: str) -> None:
    for call in (
        CALLS.capture(with_terms(CAPTURE, amount=money), HOLD),
        CALLS.refund(with_terms(REFUND, amount=money), "2G"),
    ):
        assert fields(call)["amount"] == {"currency_code": money.currency, "value": value}


def test_a_descriptor_or_an_address_that_paypal_would_refuse_is_left_out() -> None:
    half = Payer({"shipping_address": {"country": "IN"}})
    (unit,) = fields(CALLS.create(replace(with_terms(CREATE, statement_descriptor="CINEMA #7"), payer=half)))[
        "purchase_units"
    ]
    assert {"soft_descriptor", "shipping"}.isdisjoint(unit)


def test_the_token_is_asked_for_with_the_apps_secret_which_nothing_prints() -> None:
    call = next(adapter(signed_in=False).probe())
    assert isinstance(call, HttpCall)
    assert base64.b64decode(call.headers["Authorization"].removeprefix("Basic ")) == b"client_1:secret_1"
    assert call.body == b"grant_type=client_credentials"
    assert SECRET not in repr(call) + repr(CALLS)


def test_ids_are_quoted() -> None:
    assert look_up_order("a/b?c").path == "/v2/checkout/orders/a%2Fb%3Fc"
