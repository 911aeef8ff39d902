"""The emulator's PayPal: PayPal's OpenAPI documents referee what it answers."""

from __future__ import annotations

import base64
import json
import uuid
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import verification
from support.merchant_server import Sink
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
from support.telling import Telling, telling

ORDERS, PAYMENTS = "paypal/checkout_orders_v2.json", "paypal/payments_payment_v2.json"
WEBHOOKS = "paypal/notifications_webhooks_v1.json"
BACK = {"return_url": "https://shop.test/back?order=7", "cancel_url": "https://shop.test/cart"}
WALLET = {"paypal": {"experience_context": BACK}}


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Telling]:
    with telling(running_paypal, tmp_path_factory.mktemp("paypal"), "paypal", PAYPAL_WEBHOOK) as running:
        yield running


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


def advance(emulator: Sandbox, days: float = 0, seconds: float = 0) -> None:
    """So much later it is for the emulator."""
    later = days * 86_400 + seconds
    assert emulator.post("/_sandbox/clock", {"advance_s": later}).status == 200


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


def test_a_capture_of_a_hold_that_is_denied_is_none(
    paypal: PayPalClient, emulator: Sandbox, shop: Sink
) -> None:
    place = f"/v2/payments/authorizations/{held(paypal, 'tok_pending_fail_60_on_capture')}"
    capture = posted(paypal, f"{place}/capture", {"amount": usd("5.00"), "final_capture": True})
    assert (capture["status"], capture["status_details"]) == ("PENDING", {"reason": "PENDING_REVIEW"})
    order_id = capture["supplementary_data"]["related_ids"]["order_id"]
    advance(emulator, seconds=60)
    (row,) = [one for one in emulator.ledger() if one["payment_id"] == order_id]
    assert (row["captured"], row["captures"]) == (0, [])
    assert eventually(lambda: "PAYMENT.CAPTURE.DENIED" in kinds(shop, capture["id"]))


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


def test_a_repeated_call_is_told_how_it_stands_now(paypal: PayPalClient, emulator: Sandbox) -> None:
    made = posted(paypal, "/v2/checkout/orders", order())
    path, key = f"/v2/checkout/orders/{made['id']}/capture", uuid.uuid4().hex
    first = posted(paypal, path, vaulted("tok_pending_60"), key=key)
    assert capture_of(first)["status"] == "PENDING"

    def again() -> HttpAnswer:
        return paypal.post(path, vaulted("tok_pending_60"), key=key)

    advance(emulator, seconds=60)
    assert capture_of(again().json)["status"] == "COMPLETED"
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


def told(shop: Sink, about: str) -> list[Any]:
    """The events whose resource names this."""
    arrived = [one.json for one in shop.at("/paypal")]
    return [event for event in arrived if about in json.dumps(event["resource"])]


def kinds(shop: Sink, about: str) -> list[str]:
    return [event["event_type"] for event in told(shop, about)]


def test_a_hold_is_honoured_again_after_days_and_expires(
    paypal: PayPalClient, emulator: Sandbox, shop: Sink
) -> None:
    first, left = held(paypal, "tok_honoured_only"), held(paypal)
    place = f"/v2/payments/authorizations/{first}"
    assert paypal.post(f"{place}/reauthorize").json["details"][0]["issue"] == "REAUTHORIZATION_TOO_SOON"
    advance(emulator, 4)
    assert refused(paypal, f"{place}/capture", {"amount": usd("5.00")}) == "PAYER_CANNOT_PAY"
    second = posted(paypal, f"{place}/reauthorize", {"amount": usd("19.99")})["id"]
    assert refused(paypal, f"/v2/payments/authorizations/{second}/void") == "CANNOT_BE_VOIDED"
    assert (
        refused(paypal, f"/v2/payments/authorizations/{second}/reauthorize")
        == "REAUTHORIZATION_NOT_SUPPORTED"
    )
    posted(paypal, f"/v2/payments/authorizations/{second}/capture", {"final_capture": True})
    assert paypal.get(place).json["status"] == "CAPTURED"
    advance(emulator, 26)
    assert paypal.get(f"/v2/payments/authorizations/{left}").json["status"] == "EXPIRED"
    assert refused(paypal, f"/v2/payments/authorizations/{left}/capture") == "AUTHORIZATION_EXPIRED"
    assert eventually(lambda: "PAYMENT.AUTHORIZATION.VOIDED" in kinds(shop, left))


def test_ids_of_orders_are_remembered_for_hours_and_those_of_payments_for_weeks(
    paypal: PayPalClient, emulator: Sandbox
) -> None:
    given, key = order(), uuid.uuid4().hex
    first = posted(paypal, "/v2/checkout/orders", given, key=key)["id"]
    capture = capture_of(charged(paypal))["id"]
    refund = posted(paypal, f"/v2/payments/captures/{capture}/refund", key=key)["id"]
    assert posted(paypal, "/v2/checkout/orders", given, key=key)["id"] == first
    advance(emulator, 1)
    assert posted(paypal, "/v2/checkout/orders", given, key=key)["id"] != first
    assert posted(paypal, f"/v2/payments/captures/{capture}/refund", key=key)["id"] == refund
    advance(emulator, 45)
    assert refused(paypal, f"/v2/payments/captures/{capture}/refund") == "CAPTURE_FULLY_REFUNDED"


def test_the_approval_of_a_card_may_be_reversed_as_a_header_says(
    paypal: PayPalClient, emulator: Sandbox
) -> None:
    made = posted(paypal, "/v2/checkout/orders", order())
    place = f"/v2/checkout/orders/{made['id']}"
    shown = posted(
        paypal, f"{place}/confirm-payment-source", vaulted("tok_ok"), script="approval_reversed_60"
    )
    assert shown["status"] == "APPROVED"
    advance(emulator, seconds=60)
    assert paypal.get(place).json["status"] == "VOIDED"


def test_an_approval_is_reversed_unless_it_is_captured_in_time(
    paypal: PayPalClient, emulator: Sandbox, shop: Sink
) -> None:
    given = order(payment_source=WALLET)
    invoice = given["purchase_units"][0]["invoice_id"]
    made = posted(paypal, "/v2/checkout/orders", given)
    payer_goes(link(made, "payer-action"), "approve")
    advance(emulator, 0.13)
    assert paypal.get(f"/v2/checkout/orders/{made['id']}").json["status"] == "VOIDED"
    answer = paypal.post(f"/v2/checkout/orders/{made['id']}/capture")
    assert answer.json["details"][0]["issue"] == "ORDER_EXPIRED"
    expected = ["CHECKOUT.ORDER.APPROVED", "CHECKOUT.PAYMENT-APPROVAL.REVERSED"]
    assert eventually(lambda: kinds(shop, invoice) == expected)
    (row,) = emulator.booked(invoice)
    assert (row["status"], row["captured"]) == ("voided", 0)


@pytest.mark.parametrize(
    ("token", "events", "status", "booked"),
    [
        ("tok_echeck_60", ["PENDING", "COMPLETED"], "COMPLETED", (1999, 0)),
        ("tok_echeck_bounces_60", ["PENDING", "DENIED"], "DECLINED", (0, 0)),
        ("tok_capture_reversed_60", ["COMPLETED", "REVERSED"], "REFUNDED", (1999, 1999)),
        ("tok_fails_late_60_on_capture", ["COMPLETED", "DENIED"], "DECLINED", (0, 0)),
    ],
)
def test_a_capture_is_decided_or_undone_later(
    paypal: PayPalClient,
    emulator: Sandbox,
    shop: Sink,
    token: str,
    events: list[str],
    status: str,
    booked: tuple[int, int],
) -> None:
    shown = charged(paypal, token)
    capture = capture_of(shown)["id"]
    advance(emulator, seconds=60)
    assert eventually(lambda: kinds(shop, capture) == [f"PAYMENT.CAPTURE.{one}" for one in events])
    assert paypal.get(f"/v2/payments/captures/{capture}").json["status"] == status
    (row,) = [one for one in emulator.ledger() if one["payment_id"] == shown["id"]]
    assert (row["captured"], row["refunded"]) == booked


@pytest.mark.parametrize(
    ("token", "events", "status"),
    [
        ("tok_pending_60_on_refund", ["REFUND.PENDING", "CAPTURE.REFUNDED"], "REFUNDED"),
        ("tok_pending_fail_60_on_refund", ["REFUND.PENDING", "REFUND.FAILED"], "COMPLETED"),
        ("tok_fails_late_60", ["CAPTURE.REFUNDED", "REFUND.FAILED"], "COMPLETED"),
    ],
)
def test_a_refund_is_decided_or_undone_later(
    paypal: PayPalClient, emulator: Sandbox, shop: Sink, token: str, events: list[str], status: str
) -> None:
    capture = capture_of(charged(paypal, token))["id"]
    refund = posted(paypal, f"/v2/payments/captures/{capture}/refund")["id"]
    advance(emulator, seconds=60)
    assert eventually(lambda: kinds(shop, refund) == [f"PAYMENT.{one}" for one in events])
    assert paypal.get(f"/v2/payments/captures/{capture}").json["status"] == status


def test_a_dispute_is_shown_and_told(paypal: PayPalClient, emulator: Sandbox, shop: Sink) -> None:
    capture = capture_of(charged(paypal, "tok_dispute"))["id"]
    (shown,) = paypal.get(f"/v1/customer/disputes?disputed_transaction_id={capture}").json["items"]
    assert (shown["status"], shown["dispute_life_cycle_stage"]) == (
        "WAITING_FOR_SELLER_RESPONSE",
        "CHARGEBACK",
    )
    assert shown["disputed_transactions"][0]["seller_transaction_id"] == capture
    assert (
        paypal.post(f"/v2/payments/captures/{capture}/refund").json["details"][0]["issue"]
        == "TRANSACTION_DISPUTED"
    )
    advance(emulator, days=2)
    emulator.post("/_sandbox/disputes", {"id": shown["dispute_id"], "status": "won"})
    after = paypal.get(f"/v1/customer/disputes/{shown['dispute_id']}").json
    assert after["dispute_outcome"]["outcome_code"] == "RESOLVED_SELLER_FAVOUR"
    assert after["update_time"] > after["create_time"] == shown["create_time"]
    expected = ["CUSTOMER.DISPUTE.CREATED", "CUSTOMER.DISPUTE.RESOLVED"]
    assert eventually(lambda: kinds(shop, shown["dispute_id"]) == expected)


def test_events_are_signed_with_a_certificate_of_its_own_authority(
    paypal: PayPalClient, emulator: Sandbox, shop: Sink
) -> None:
    capture = capture_of(charged(paypal))["id"]
    assert eventually(lambda: bool(kinds(shop, capture)))
    for one in shop.at("/paypal"):
        assert is_signed(emulator, one.headers, one.body)
        assert referee(WEBHOOKS).misfits("event", one.json) == []
    last = shop.at("/paypal")[-1]
    assert not is_signed(emulator, last.headers, last.body + b" ")
    forged = emulator.post(
        f"/_sandbox/webhook-signatures?webhook_id={PAYPAL_WEBHOOK}&at=1764249600", b"{}"
    ).json
    assert forged["PAYPAL-TRANSMISSION-TIME"] == "2025-11-27T13:20:00Z"
    assert is_signed(emulator, {name.lower(): value for name, value in forged.items()}, b"{}")
    stranger = emulator.post(
        f"/_sandbox/webhook-signatures?webhook_id={PAYPAL_WEBHOOK}&at=1764249600&stranger=1", b"{}"
    ).json
    with pytest.raises(verification.VerificationError):
        is_signed(emulator, {name.lower(): value for name, value in stranger.items()}, b"{}")


def test_a_restarted_emulator_keeps_its_certificate_and_no_token(
    paypal: PayPalClient, emulator: Sandbox, shop: Sink
) -> None:
    root = emulator.call("GET", "/_sandbox/webhook-root").body
    capture = capture_of(charged(paypal))["id"]
    emulator.kill()
    emulator.start()
    assert emulator.call("GET", "/_sandbox/webhook-root").body == root
    assert paypal.get(f"/v2/payments/captures/{capture}").status == 401
    assert PayPalClient(emulator.url).get(f"/v2/payments/captures/{capture}").status == 200


def is_signed(emulator: Sandbox, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether PayPal's own rule takes it: the certificate is the root's, and signs id, time, webhook and checksum."""
    root = x509.load_pem_x509_certificate(emulator.call("GET", "/_sandbox/webhook-root").body)
    path = urlsplit(headers["paypal-cert-url"]).path
    leaf = x509.load_pem_x509_certificate(emulator.call("GET", path).body)
    store = verification.Store([root])
    host = x509.DNSName("messageverificationcerts.paypal.com")
    verification.PolicyBuilder().store(store).build_server_verifier(host).verify(leaf, [])
    named = [headers[f"paypal-transmission-{name}"] for name in ("id", "time")]
    message = "|".join([*named, PAYPAL_WEBHOOK, str(zlib.crc32(body))]).encode()
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    try:
        signature = base64.b64decode(headers["paypal-transmission-sig"])
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
