"""The emulator's PayPal: PayPal's OpenAPI documents referee what it answers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from support.merchant_server import Sink, a_sink
from support.openapi import referee
from support.paypal_process import (
    PAYPAL_WEBHOOK,
    PayPalClient,
    granted,
    link,
    payer_goes,
    running_paypal,
)
from support.sandbox_process import HttpAnswer, Sandbox, eventually

ORDERS, PAYMENTS = "paypal/checkout_orders_v2.json", "paypal/payments_payment_v2.json"
BACK = {"return_url": "https://shop.test/back?order=7", "cancel_url": "https://shop.test/cart"}
WALLET = {"paypal": {"experience_context": BACK}}


@pytest.fixture(scope="module")
def shop() -> Iterator[Sink]:
    """Where the emulator's events arrive."""
    with a_sink() as running:
        yield running


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory, shop: Sink) -> Iterator[Sandbox]:
    flags = ("--webhook-url", shop.url("/paypal"), "--webhook-secret-env", "SANDBOX_WEBHOOK_SECRET")
    folder = tmp_path_factory.mktemp("paypal")
    with running_paypal(folder, *flags, env={"SANDBOX_WEBHOOK_SECRET": PAYPAL_WEBHOOK}) as running:
        yield running


@pytest.fixture
def emulator(shared_emulator: Sandbox) -> Iterator[Sandbox]:
    """Healed afterwards."""
    yield shared_emulator
    shared_emulator.set_faults()


@pytest.fixture
def paypal(emulator: Sandbox) -> PayPalClient:
    """A client with an access token."""
    return PayPalClient(emulator.url)


def usd(value: str) -> dict[str, str]:
    return {"currency_code": "USD", "value": value}


def order(intent: str = "CAPTURE", value: str = "19.99", **fields: Any) -> dict[str, Any]:
    reference = uuid.uuid4().hex
    unit = {"amount": usd(value), "custom_id": f"pay_{reference}", "invoice_id": f"pay_{reference}-a1"}
    return {"intent": intent, "purchase_units": [unit], **fields}


def vaulted(token: str, kind: str = "card") -> dict[str, Any]:
    return {"payment_source": {kind: {"vault_id": token}}}


def fits(method: str, path: str, answer: HttpAnswer) -> Any:
    """The answer's body, which PayPal's document allows; how it words an issue differs from call to call."""
    document = ORDERS if path.startswith("/v2/checkout") else PAYMENTS
    shown = answer.json
    for detail in shown.get("details", ()):
        assert detail.pop("description")
    body = json.dumps(shown).encode()
    assert referee(document).misfits_of_answer(method, path, answer.status, body) == []
    return shown


def posted(paypal: PayPalClient, path: str, body: Any = None, **how: Any) -> Any:
    """The body of what a POST has made."""
    answer = paypal.post(path, body, **how)
    assert answer.status in (200, 201), answer.body
    return fits("POST", path, answer)


def refused(paypal: PayPalClient, path: str, body: Any = None) -> str:
    """The issue for which a POST was refused."""
    shown = fits("POST", path, paypal.post(path, body))
    (detail,) = shown["details"]
    return str(detail["issue"])


def charged(paypal: PayPalClient, token: str = "tok_ok", kind: str = "card", **how: Any) -> Any:
    """An order that was captured with something vaulted."""
    made = posted(paypal, "/v2/checkout/orders", order(**how))
    return posted(paypal, f"/v2/checkout/orders/{made['id']}/capture", vaulted(token, kind))


def held(paypal: PayPalClient, token: str = "tok_ok") -> str:
    """The id of an authorization."""
    made = posted(paypal, "/v2/checkout/orders", order("AUTHORIZE"))
    shown = posted(paypal, f"/v2/checkout/orders/{made['id']}/authorize", vaulted(token))
    (authorization,) = shown["purchase_units"][0]["payments"]["authorizations"]
    return str(authorization["id"])


def capture_of(shown: Any) -> Any:
    (capture,) = shown["purchase_units"][0]["payments"]["captures"]
    return capture


def test_a_payer_approves_and_the_order_is_captured(paypal: PayPalClient, emulator: Sandbox) -> None:
    given = order(payment_source=WALLET)
    made = posted(paypal, "/v2/checkout/orders", given)
    assert made["status"] == "PAYER_ACTION_REQUIRED"
    capture = f"/v2/checkout/orders/{made['id']}/capture"
    assert refused(paypal, capture) == "ORDER_NOT_APPROVED"
    back = payer_goes(link(made, "payer-action"), "approve")
    assert back.status == 302
    assert back.headers["location"].startswith(f"{BACK['return_url']}&token={made['id']}&PayerID=")
    shown = fits("GET", f"/v2/checkout/orders/{made['id']}", paypal.get(f"/v2/checkout/orders/{made['id']}"))
    assert shown["status"] == "APPROVED"
    done = posted(paypal, capture)
    assert (done["status"], capture_of(done)["status"]) == ("COMPLETED", "COMPLETED")
    (row,) = emulator.booked(given["purchase_units"][0]["invoice_id"])
    assert (row["status"], row["captured"]) == ("succeeded", 1999)
    assert refused(paypal, capture) == "ORDER_ALREADY_CAPTURED"


def test_a_payer_who_goes_away_comes_to_the_cart(paypal: PayPalClient) -> None:
    made = posted(paypal, "/v2/checkout/orders", order(application_context=BACK))
    assert made["status"] == "CREATED"
    back = payer_goes(link(made, "approve"), "cancel")
    assert back.headers["location"] == f"{BACK['cancel_url']}?token={made['id']}"
    assert paypal.get(f"/v2/checkout/orders/{made['id']}").json["status"] == "CREATED"


def test_a_hold_is_captured_in_parts_and_refunded(paypal: PayPalClient) -> None:
    place = f"/v2/payments/authorizations/{held(paypal)}"
    first = posted(paypal, f"{place}/capture", {"amount": usd("5.00"), "invoice_id": uuid.uuid4().hex})
    assert fits("GET", place, paypal.get(place))["status"] == "PARTIALLY_CAPTURED"
    assert refused(paypal, f"{place}/capture", {"amount": usd("15.00")}) == "MAX_CAPTURE_AMOUNT_EXCEEDED"
    posted(paypal, f"{place}/capture", {"amount": usd("7.00"), "final_capture": True})
    assert paypal.get(place).json["status"] == "CAPTURED"
    assert refused(paypal, f"{place}/capture") == "AUTHORIZATION_ALREADY_CAPTURED"
    capture = f"/v2/payments/captures/{first['id']}"
    refund = posted(paypal, f"{capture}/refund", {"amount": usd("2.00")})
    assert fits("GET", capture, paypal.get(capture))["status"] == "PARTIALLY_REFUNDED"
    assert refused(paypal, f"{capture}/refund", {"amount": usd("4.00")}) == "REFUND_AMOUNT_EXCEEDED"
    path = f"/v2/payments/refunds/{refund['id']}"
    assert fits("GET", path, paypal.get(path))["status"] == "COMPLETED"
    posted(paypal, f"{capture}/refund")
    assert refused(paypal, f"{capture}/refund") == "CAPTURE_FULLY_REFUNDED"


def test_a_hold_is_voided_once(paypal: PayPalClient) -> None:
    place = f"/v2/payments/authorizations/{held(paypal)}"
    assert paypal.post(f"{place}/void", prefer="return=minimal").status == 204
    assert paypal.get(place).json["status"] == "VOIDED"
    assert refused(paypal, f"{place}/void") == "PREVIOUSLY_VOIDED"
    assert refused(paypal, f"{place}/capture") == "AUTHORIZATION_VOIDED"


def test_a_card_is_declined_by_its_processor_and_a_wallet_by_paypal(paypal: PayPalClient) -> None:
    capture = capture_of(charged(paypal, "tok_soft_insufficient_funds"))
    assert (capture["status"], capture["processor_response"]) == ("DECLINED", {"response_code": "5120"})
    made = posted(paypal, "/v2/checkout/orders", order())
    path = f"/v2/checkout/orders/{made['id']}/capture"
    assert refused(paypal, path, vaulted("tok_soft_insufficient_funds", "paypal")) == "INSTRUMENT_DECLINED"
    assert refused(paypal, path, vaulted("another")) == "TOKEN_ID_NOT_FOUND"


def test_what_pays_can_be_named_before(paypal: PayPalClient) -> None:
    made = posted(paypal, "/v2/checkout/orders", order())
    place = f"/v2/checkout/orders/{made['id']}"
    shown = posted(paypal, f"{place}/confirm-payment-source", vaulted("tok_ok"))
    assert shown["status"] == "APPROVED"
    assert capture_of(posted(paypal, f"{place}/capture"))["status"] == "COMPLETED"


def test_a_card_may_want_its_payer(paypal: PayPalClient) -> None:
    made = posted(paypal, "/v2/checkout/orders", order())
    place = f"/v2/checkout/orders/{made['id']}"
    source = {"payment_source": {"card": {"vault_id": "tok_3ds_abandoned", "experience_context": BACK}}}
    shown = posted(paypal, f"{place}/confirm-payment-source", source)
    assert shown["status"] == "PAYER_ACTION_REQUIRED"
    again = posted(paypal, f"{place}/confirm-payment-source", source)
    assert payer_goes(link(again, "payer-action"), "approve").status == 302
    assert posted(paypal, f"{place}/capture")["status"] == "COMPLETED"
    payerless = posted(paypal, "/v2/checkout/orders", order())
    path = f"/v2/checkout/orders/{payerless['id']}/capture"
    assert refused(paypal, path, vaulted("tok_3ds_60")) == "PAYER_ACTION_REQUIRED"


def test_a_repeated_call_is_told_how_it_stands_now(paypal: PayPalClient) -> None:
    made = posted(paypal, "/v2/checkout/orders", order())
    path, key = f"/v2/checkout/orders/{made['id']}/capture", uuid.uuid4().hex
    first = posted(paypal, path, vaulted("tok_pending_1"), key=key)
    assert capture_of(first)["status"] == "PENDING"

    def again() -> HttpAnswer:
        return paypal.post(path, vaulted("tok_pending_1"), key=key)

    assert eventually(lambda: capture_of(again().json)["status"] == "COMPLETED")
    assert (again().status, capture_of(again().json)["id"]) == (200, capture_of(first)["id"])
    other = paypal.post(path, vaulted("tok_ok"), key=key)
    assert (other.status, other.json["details"][0]["issue"]) == (422, "PAYPAL_REQUEST_ID_PREVIOUSLY_USED")


def test_access_tokens_can_be_taken_back(paypal: PayPalClient, emulator: Sandbox) -> None:
    assert granted(emulator.url, "client_emulator:wrong").json["error"] == "invalid_client"
    emulator.post("/_sandbox/tokens", {"revoke": True})
    answer = paypal.get("/v2/checkout/orders/5O190127TN364715T")
    assert (answer.status, answer.json["name"]) == (401, "AUTHENTICATION_FAILURE")
    renewed = PayPalClient(emulator.url)
    path = "/v2/checkout/orders/5O190127TN364715T"
    assert fits("GET", path, renewed.get(path))["name"] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize(
    ("money", "issue"),
    [
        ({"currency_code": "JPY", "value": "500.0"}, "DECIMALS_NOT_SUPPORTED"),
        ({"currency_code": "USD", "value": "1.999"}, "DECIMAL_PRECISION"),
        ({"currency_code": "INR", "value": "10"}, "INVALID_CURRENCY_CODE"),
        ({"currency_code": "USD", "value": "0.00"}, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        ({"currency_code": "USD", "value": "ten"}, "INVALID_PARAMETER_SYNTAX"),
    ],
)
def test_an_amount_that_paypal_can_not_take_is_refused(
    paypal: PayPalClient, money: dict[str, str], issue: str
) -> None:
    given = order()
    given["purchase_units"][0]["amount"] = money
    answer = paypal.post("/v2/checkout/orders", given)
    assert answer.json["details"][0]["issue"] == issue


def test_an_invoice_is_paid_once(paypal: PayPalClient) -> None:
    first, second = order(), order()
    second["purchase_units"][0]["invoice_id"] = first["purchase_units"][0]["invoice_id"]
    ids = [posted(paypal, "/v2/checkout/orders", one)["id"] for one in (first, second)]
    posted(paypal, f"/v2/checkout/orders/{ids[0]}/capture", vaulted("tok_ok"))
    path = f"/v2/checkout/orders/{ids[1]}/capture"
    assert refused(paypal, path, vaulted("tok_ok")) == "DUPLICATE_INVOICE_ID"
