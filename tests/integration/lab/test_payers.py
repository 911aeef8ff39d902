"""The payers of demo and crashtest in front of each emulator: what they bring back, and what becomes of the payment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.adyen_process import ADYEN_ACCOUNT, post_json, running_adyen
from support.paypal_process import PayPalClient, link, running_paypal
from support.razorpay_process import RazorpayClient, running_razorpay
from support.sandbox_process import Sandbox, payment_body, running_sandbox
from support.stripe_process import post_form, running_stripe

from aegis_worker.errors import OperatorError
from aegis_worker.lab.demo.payers import Payers

pytestmark = pytest.mark.slow

_BACK = "https://shop.example/back"


@pytest.fixture(scope="module")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sandbox]]:
    folder = tmp_path_factory.mktemp("emulators")
    with ExitStack() as stack:
        running = (running_sandbox, running_stripe, running_adyen, running_paypal, running_razorpay)
        started = [stack.enter_context(run(folder)) for run in running]
        yield {emulator.name: emulator for emulator in started}


@pytest.fixture
def payers(emulators: dict[str, Sandbox]) -> Iterator[Payers]:
    payers = Payers({name: emulator.url for name, emulator in emulators.items()})
    yield payers
    payers.close()


def at_adyen(emulator: Sandbox, token: str, **more: Any) -> dict[str, Any]:
    """The action of a new payment at Adyen."""
    body = {
        "merchantAccount": ADYEN_ACCOUNT,
        "amount": {"value": 1990, "currency": "USD"},
        "reference": "r",
        "paymentMethod": {"type": "scheme", "storedPaymentMethodId": token},
        "returnUrl": _BACK,
        **more,
    }
    action: dict[str, Any] = post_json(emulator, "/payments", body).json["action"]
    return action


@pytest.mark.parametrize(("does", "ended"), [("pass", "Authorised"), ("fail", "Refused")])
def test_a_payer_of_adyens_brings_back_what_the_shop_hands_on(
    payers: Payers, emulators: dict[str, Sandbox], does: str, ended: str
) -> None:
    action = at_adyen(emulators["adyen"], "tok_authenticate")
    brought_back = payers.act({"url": action["url"]}, "adyen", does)
    assert brought_back is not None
    assert brought_back.keys() == {"redirectResult"}
    assert brought_back == payers.act({"url": action["url"]}, "adyen", does), "who acts again does the same"
    answer = post_json(emulators["adyen"], "/payments/details", {"details": brought_back})
    assert answer.json["resultCode"] == ended


def test_a_payer_in_the_shops_page_brings_back_what_the_library_found_out(
    payers: Payers, emulators: dict[str, Sandbox]
) -> None:
    action = at_adyen(emulators["adyen"], "tok_sdk_120")
    assert (payers.act({"data": action}, "adyen", "pass") or {}).keys() == {"details", "paymentData"}
    charged = emulators["sandbox_a"].post("/v1/charges", payment_body("tok_sdk_120"), idempotency_key="k-1")
    secret = {"client_secret": charged.json["next_action"]["client_secret"]}
    assert (payers.act({"data": secret}, "sandbox_a", "pass") or {}).keys() == {"challenge_result"}


def test_a_payer_of_paypals_approves_and_the_shop_only_says_that_they_are_back(
    payers: Payers, emulators: dict[str, Sandbox]
) -> None:
    client = PayPalClient(emulators["paypal"].url)
    unit = {"amount": {"currency_code": "USD", "value": "19.90"}}
    context = {"return_url": _BACK, "cancel_url": _BACK}
    order = {
        "intent": "CAPTURE",
        "purchase_units": [unit],
        "payment_source": {"paypal": {"experience_context": context}},
    }
    made = client.post("/v2/checkout/orders", order).json
    assert payers.act({"url": link(made, "payer-action")}, "paypal", "pass") == {}
    assert client.get(f"/v2/checkout/orders/{made['id']}").json["status"] == "APPROVED"


def test_of_a_payer_of_stripes_the_shop_says_nothing(payers: Payers, emulators: dict[str, Sandbox]) -> None:
    form = f"amount=1990&currency=usd&payment_method=pm_card_threeDSecureRequired&confirm=true&return_url={_BACK}"
    intent = post_form(emulators["stripe"], "/v1/payment_intents", form).json
    page = intent["next_action"]["redirect_to_url"]["url"]
    assert payers.act({"url": page}, "stripe", "pass") is None
    ledger = {row["payment_id"]: row["status"] for row in emulators["stripe"].ledger()}
    assert ledger[intent["id"]] == "succeeded"


@pytest.mark.parametrize(
    ("token", "does", "brought"),
    [
        ("tok_visa", "pass", {"razorpay_payment_id", "razorpay_order_id", "razorpay_signature"}),
        ("tok_pending_1", "pass", {"razorpay_payment_id", "razorpay_order_id", "razorpay_signature"}),
        ("tok_3ds_60", "pass", {"razorpay_payment_id", "razorpay_order_id", "razorpay_signature"}),
        ("tok_3ds_fail_60", "fail", {"error"}),
        ("tok_hard_expired_card", "pass", {"error"}),
    ],
)
def test_a_payer_of_razorpays_pays_in_checkout(
    payers: Payers, emulators: dict[str, Sandbox], token: str, does: str, brought: set[str]
) -> None:
    client = RazorpayClient(emulators["razorpay"].url)
    order = client.post("/v1/orders", {"amount": 1990, "currency": "INR", "payment_capture": 0}).json
    action = {"data": {"order_id": order["id"], "notes": {"method": "upi"}}}
    brought_back = payers.act(action, "razorpay", does, token)
    assert (brought_back or {}).keys() == brought
    assert brought_back == payers.act(action, "razorpay", does, token), "who acts again does the same"
    assert client.get(f"/v1/orders/{order['id']}/payments").json["count"] == 1


def test_a_page_that_is_none_is_an_error(payers: Payers, emulators: dict[str, Sandbox]) -> None:
    with pytest.raises(OperatorError, match="no button to pass"):
        payers.act({"url": f"{emulators['stripe'].url}/healthz"}, "stripe", "pass")
