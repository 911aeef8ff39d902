"""Adyen's requests as values: Adyen's own OpenAPI document takes each, and notices what it does not know."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from support.openapi import Referee, referee

from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Declined, Operation
from aegis_worker.domain.payer import FIELDS, Payer
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.adyen.methods import by_number
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import HttpCall, OpenCard
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.lab.conformance.numbered import CODE, MASTERCARD, METHOD, NUMBER

KEY, ACCOUNT, PAYMENT = "AQE_key", "ShopECOM", "pay_0123456789abcdef0123456789abcdef"
ADDRESS = {
    "name": "Asha Rao",
    "line1": "12 MG Road",
    "line2": "Flat 3",
    "city": "Bengaluru",
    "state": "KA",
    "postal_code": "560001",
    "country": "IN",
}
BROWSER = {
    "user_agent": "Mozilla/5.0",
    "accept_header": "text/html",
    "language": "en-IN",
    "color_depth": 24,
    "screen_width": 1920,
    "screen_height": 1080,
    "time_zone_offset": -330,
    "java_enabled": False,
    "javascript_enabled": True,
}
PAYER = Payer(
    {
        "email": "asha@shop.test",
        "phone": "+918041234567",
        "ip": "203.0.113.7",
        "browser": BROWSER,
        "billing_address": ADDRESS,
        "shipping_address": ADDRESS,
    }
)
TERMS = PaymentTerms(
    Money(1999, "USD"),
    {"type": "card", "token": "shopper_7/SQ7ZK2WXH8NG5822"},
    return_url="https://shop.test/back?order=7",
    statement_descriptor="CINEMA 7",
)
PAY = GatewayRequest(Operation.PROCESS, PAYMENT, f"{PAYMENT}-p1", TERMS)
CAPTURE = GatewayRequest(Operation.CAPTURE, PAYMENT, f"{PAYMENT}c101", TERMS, "JLCMPCQ8HXSKGK82")
VOID = replace(CAPTURE, operation=Operation.VOID, idempotency_key=f"{PAYMENT}x102")
REFUND = replace(CAPTURE, operation=Operation.REFUND, idempotency_key=f"{PAYMENT}b103")


def with_terms(request: GatewayRequest = PAY, **terms: Any) -> GatewayRequest:
    return replace(request, terms=replace(request.terms, **terms))


def confirming(data: dict[str, Any]) -> GatewayRequest:
    confirm = Confirm(1, "digest", data)
    return replace(PAY, operation=Operation.CONFIRM, idempotency_key=f"{PAYMENT}-d1", confirm=confirm)


BY_NUMBER = replace(with_terms(payment_method=METHOD), vaulted=OpenCard.of(METHOD))
REQUESTS = {
    "charge": PAY,
    "charge by number": BY_NUMBER,
    "charge by number of a series, with the agreement": with_terms(
        BY_NUMBER,
        off_session=True,
        off_session_reason="recurring",
        network_transaction_id="016120310293123",
        customer={"id": "cus_117"},
    ),
    "charge by number without the payer": replace(
        BY_NUMBER, terms=replace(BY_NUMBER.terms, off_session=True)
    ),
    "hold": with_terms(capture_method="manual"),
    "charge with all that is known of the payer": replace(PAY, payer=PAYER),
    "charge with 3-D Secure in the page": with_terms(return_url=None),
    "charge with 3-D Secure that we demand": replace(PAY, three_ds=True),
    "charge with 3-D Secure that we demand, in the page": replace(with_terms(return_url=None), three_ds=True),
    "charge by number with 3-D Secure that we demand": replace(BY_NUMBER, three_ds=True),
    "charge without the payer": with_terms(off_session=True, return_url=None),
    "charge of a series without the payer": with_terms(off_session=True, off_session_reason="recurring"),
    "charge with what is bought": with_terms(
        order_lines=[{"name": "Ticket", "quantity": 2, "unit_amount": 999, "reference": "sku-7"}]
    ),
    "hold from a wallet": with_terms(
        payment_method={"type": "wallet", "provider": "paypal"}, capture_method="manual", return_url=None
    ),
    "a redirect's result": confirming({"redirectResult": "X6XtfGC3!Y"}),
    "a challenge's result": confirming({"details": {"threeDSResult": "eyJ0"}, "paymentData": "Ab02b4c0"}),
    "capture": CAPTURE,
    "cancel": VOID,
    "cancel by our reference": replace(VOID, gateway_ref=f"{PAYMENT}-p1"),
    "refund": REFUND,
}


def adapter(**options: Any) -> AdyenAdapter:
    given = {"return_url": "https://shop.test/back", **options}
    return AdyenAdapter(
        GatewayConfig(
            "adyen", "adyen", "https://checkout-test.adyen.com", KEY, account=ACCOUNT, options=given
        )
    )


def call_of(request: GatewayRequest) -> HttpCall:
    flow = getattr(adapter(), request.operation.value)(request)
    call = next(flow)
    if isinstance(call, OpenCard):
        call = flow.send(MASTERCARD)
    assert isinstance(call, HttpCall)
    return call


def fields_of(request: GatewayRequest) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(call_of(request).body or b"")
    return fields


def checkout() -> Referee:
    return referee("adyen/CheckoutService-v71.json")


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_adyen_takes_it(request_: GatewayRequest) -> None:
    call = call_of(request_)
    assert call.path.startswith("/v71/")
    assert checkout().misfits_of_call(call.method, call.path.removeprefix("/v71"), call.body or b"") == []


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_each_goes_out_once_under_its_own_key(request_: GatewayRequest) -> None:
    call = call_of(request_)
    assert call.headers["X-API-Key"] == KEY
    assert call.headers["Idempotency-Key"] == request_.idempotency_key
    assert len(request_.idempotency_key) <= 64
    assert not call.only_reads
    assert KEY not in repr(call)


def test_what_adyen_does_not_know_is_noticed() -> None:
    fields = fields_of(PAY)
    for wrong in ({"colour": "red"}, {"amount": {"value": "12.50", "currency": "USD"}}, {"reference": 7}):
        body = json.dumps({**fields, **wrong}).encode()
        assert checkout().misfits_of_call("POST", "/payments", body) != []


def test_asking_which_methods_there_are_is_the_probe() -> None:
    call = next(adapter().probe())
    assert isinstance(call, HttpCall)
    assert call.only_reads
    assert checkout().misfits_of_call("POST", "/paymentMethods", call.body or b"") == []


@pytest.mark.parametrize(
    ("money", "value"),
    [
        (Money(1999, "USD"), 1999),
        (Money(500, "JPY"), 500),
        (Money(5, "ISK"), 500),
        (Money(5, "CLP"), 500),
        (Money(1200, "IDR"), 12),
        (Money(1200, "CVE"), 12),
        (Money(12345, "BHD"), 12345),
    ],
)
def test_amounts_are_in_adyens_own_units(money: Money, value: int) -> None:
    for request in (PAY, CAPTURE, REFUND):
        assert fields_of(with_terms(request, amount=money))["amount"] == {
            "value": value,
            "currency": money.currency,
        }


@pytest.mark.parametrize("request_", [PAY, CAPTURE, REFUND], ids=lambda request: request.operation.value)
def test_an_amount_that_adyen_can_not_write_is_never_sent(request_: GatewayRequest) -> None:
    between = with_terms(request_, amount=Money(1234, "IDR"))
    with pytest.raises(StopIteration) as end:
        next(getattr(adapter(), request_.operation.value)(between))
    assert isinstance(end.value.value, Declined)
    assert end.value.value.gateway_code == "amount_step"


def test_a_demand_for_three_d_secure_stands_beside_how_it_is_done() -> None:
    assert fields_of(replace(PAY, three_ds=True))["authenticationData"] == {"attemptAuthentication": "always"}
    in_the_page = fields_of(REQUESTS["charge with 3-D Secure that we demand, in the page"])
    assert in_the_page["authenticationData"] == {
        "attemptAuthentication": "always",
        "threeDSRequestData": {"nativeThreeDS": "preferred"},
    }
    assert "authenticationData" not in fields_of(PAY)


def test_each_charge_says_when_it_is_captured() -> None:
    assert fields_of(PAY)["captureDelayHours"] == 0
    held = fields_of(with_terms(capture_method="manual"))
    assert held["additionalData"] == {"manualCapture": "true"}
    assert "captureDelayHours" not in held


def test_a_payer_who_is_not_there_is_asked_for_nothing() -> None:
    fields = fields_of(with_terms(off_session=True, return_url=None))
    assert fields["recurringProcessingModel"] == "UnscheduledCardOnFile"
    assert "authenticationData" not in fields


@pytest.mark.parametrize(
    ("terms", "model"),
    [
        ({}, "CardOnFile"),
        ({"setup_future_usage": "on_session"}, "CardOnFile"),
        ({"setup_future_usage": "off_session"}, "UnscheduledCardOnFile"),
        ({"off_session": True, "off_session_reason": "unscheduled"}, "UnscheduledCardOnFile"),
        ({"off_session": True, "off_session_reason": "recurring"}, "Subscription"),
    ],
)
def test_adyen_is_told_what_the_card_is_kept_for(terms: dict[str, Any], model: str) -> None:
    assert fields_of(with_terms(**terms))["recurringProcessingModel"] == model


def test_without_a_page_of_its_own_the_payment_is_authenticated_in_the_shops() -> None:
    fields = fields_of(with_terms(return_url=None))
    assert fields["returnUrl"] == "https://shop.test/back"
    assert fields["origin"] == "https://shop.test"
    assert fields["authenticationData"] == {"threeDSRequestData": {"nativeThreeDS": "preferred"}}


def test_a_saved_card_goes_with_its_shopper() -> None:
    fields = fields_of(PAY)
    assert fields["shopperReference"] == "shopper_7"
    assert fields["paymentMethod"]["storedPaymentMethodId"] == "SQ7ZK2WXH8NG5822"


def test_a_card_of_the_vault_goes_by_number_and_only_with_the_charge() -> None:
    fields = fields_of(BY_NUMBER)
    assert fields["paymentMethod"] == {
        "type": "scheme",
        "number": NUMBER,
        "expiryMonth": "03",
        "expiryYear": "2040",
        "cvc": CODE,
        "holderName": "Asha Rao",
    }
    assert fields["shopperInteraction"] == "Ecommerce"
    assert "shopperReference" not in fields
    for request in (CAPTURE, VOID, REFUND):
        assert "paymentMethod" not in fields_of(with_terms(request, payment_method=METHOD))


def test_a_card_that_is_gone_is_a_decline_and_nothing_goes_out() -> None:
    flow = adapter().process(BY_NUMBER)
    assert isinstance(next(flow), OpenCard)
    gone = Declined("security_code_gone", "")
    with pytest.raises(StopIteration) as end:
        flow.send(gone)  # type: ignore[arg-type]
    assert end.value.value is gone


def test_what_is_known_of_the_payer_goes_along() -> None:
    assert adapter().capabilities.payer == FIELDS
    fields = fields_of(replace(PAY, payer=PAYER))
    assert fields["shopperEmail"] == "asha@shop.test"
    assert fields["billingAddress"]["houseNumberOrName"] == "Flat 3"


def test_a_browser_or_an_address_that_adyen_would_refuse_is_left_out() -> None:
    half = Payer({"browser": {"user_agent": "Mozilla/5.0"}, "billing_address": {"country": "IN"}})
    assert {"browserInfo", "billingAddress"}.isdisjoint(fields_of(replace(PAY, payer=half)))


def test_a_descriptor_that_adyen_would_refuse_is_left_out() -> None:
    assert fields_of(PAY)["shopperStatement"] == "CINEMA 7"
    assert "shopperStatement" not in fields_of(with_terms(statement_descriptor="CINEMA #7"))


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (CAPTURE, "/v71/payments/JLCMPCQ8HXSKGK82/captures"),
        (REFUND, "/v71/payments/JLCMPCQ8HXSKGK82/refunds"),
        (VOID, "/v71/payments/JLCMPCQ8HXSKGK82/cancels"),
        (replace(VOID, gateway_ref=f"{PAYMENT}-p1"), "/v71/cancels"),
        (replace(VOID, gateway_ref="8p313547924770610"), "/v71/payments/8313547924770610/cancels"),
        (replace(REFUND, gateway_ref="a/b"), "/v71/payments/a%2Fb/refunds"),
    ],
)
def test_a_change_goes_by_adyens_reference_or_by_ours(request_: GatewayRequest, path: str) -> None:
    assert call_of(request_).path == path


@pytest.mark.parametrize("data", [{}, {"details": {}}, {"redirectResult": 7}, {"colour": "red"}, None])
def test_nothing_goes_out_where_nothing_was_brought_back(data: Any) -> None:
    with pytest.raises(StopIteration) as end:
        next(adapter().confirm(confirming(data)))
    assert isinstance(end.value.value, Declined)
    assert end.value.value.code == "invalid_request"


@pytest.mark.parametrize(
    ("terms", "shopper"),
    [
        ({}, None),
        ({"setup_future_usage": "off_session"}, "cus_117"),
        ({"off_session": True}, "cus_117"),
        ({"off_session": True, "customer": {"id": "7"}}, None),
        ({"off_session": True, "customer": {}}, None),
    ],
)
def test_a_card_by_number_goes_with_its_customer_where_it_is_kept(
    terms: dict[str, Any], shopper: str | None
) -> None:
    given = replace(TERMS, **{"customer": {"id": "cus_117"}, **terms})
    assert by_number(MASTERCARD, given)["shopperReference"] == shopper
