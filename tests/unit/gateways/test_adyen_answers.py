"""What the Adyen adapter makes of answers and notifications: by hand, without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from Adyen.util import generate_notification_sig, is_valid_hmac_notification
from msgspec.structs import replace

from aegis_worker.domain.actions import Qr, Redirect, Sdk
from aegis_worker.domain.confirms import Confirm
from aegis_worker.domain.declines import DECLINES
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.errors import ConfigurationError, InvalidWebhook
from aegis_worker.gateways.adyen.adapter import AdyenAdapter
from aegis_worker.gateways.adyen.codes import DECLINE_CODES
from aegis_worker.gateways.base import GatewayEvent
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.gateways.requests import GatewayRequest

SECRET, OTHER = "0A" * 32, "0b" * 32
PAYMENT, ACCOUNT, PSP = "pay_0123456789abcdef0123456789abcdef", "ShopECOM", "JLCMPCQ8HXSKGK82"
PAY = GatewayRequest(
    Operation.PROCESS,
    PAYMENT,
    f"{PAYMENT}-p1",
    PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "shopper_7/SQ7ZK2WXH8NG5822"}),
)
CONFIRM = replace(
    PAY,
    operation=Operation.CONFIRM,
    idempotency_key=f"{PAYMENT}-d1",
    gateway_ref=f"{PAYMENT}-p1",
    confirm=Confirm(1, "digest", {"redirectResult": "X6XtfGC3!Y"}),
)
CAPTURE = replace(PAY, operation=Operation.CAPTURE, idempotency_key=f"{PAYMENT}c101", gateway_ref=PSP)
REFUND = replace(CAPTURE, operation=Operation.REFUND, idempotency_key=f"{PAYMENT}b102")
VOID = replace(CAPTURE, operation=Operation.VOID, idempotency_key=f"{PAYMENT}x103")


def adapter(base_url: str = "https://checkout-test.adyen.com", **config: Any) -> AdyenAdapter:
    options = {"return_url": "https://shop.test/back", **config.pop("options", {})}
    given = {"account": ACCOUNT, "webhook_secrets": (SECRET,), **config}
    return AdyenAdapter(GatewayConfig("adyen", "adyen", base_url, "AQE_key", options=options, **given))


def said(request: GatewayRequest, body: dict[str, Any] | bytes, status: int = 200, **headers: str) -> Outcome:
    """What the adapter makes of the answer to a request."""
    flow = getattr(adapter(), request.operation.value)(request)
    next(flow)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(StopIteration) as end:
        flow.send(HttpAnswer(status, named, raw))
    outcome: Outcome = end.value.value
    return outcome


def payment(result: str = "Authorised", **fields: Any) -> dict[str, Any]:
    return {
        "resultCode": result,
        "pspReference": PSP,
        "merchantReference": f"{PAYMENT}-p1",
        "amount": {"value": 1999, "currency": "USD"},
        **fields,
    }


def refusal(code: str, result: str = "Refused", **fields: Any) -> dict[str, Any]:
    return {
        "resultCode": result,
        "pspReference": PSP,
        "merchantReference": f"{PAYMENT}-p1",
        "refusalReason": "Said",
        "refusalReasonCode": code,
        **fields,
    }


def received(request: GatewayRequest, **fields: Any) -> dict[str, Any]:
    return {
        "merchantAccount": ACCOUNT,
        "paymentPspReference": PSP,
        "pspReference": "KHQC5N7G84BLNK43",
        "reference": request.idempotency_key,
        "status": "received",
        "amount": {"value": 1999, "currency": "USD"},
        **fields,
    }


def test_authorised_takes_the_money_or_holds_it_as_the_payment_says() -> None:
    assert said(PAY, payment()) == Approved(PSP, captured=True)
    held = replace(PAY, terms=replace(PAY.terms, capture_method="manual"))
    assert said(held, payment()) == Approved(PSP, captured=False)


@pytest.mark.parametrize("result", ["Pending", "Received"])
def test_what_adyen_decides_later_is_pending(result: str) -> None:
    assert said(PAY, payment(result, amount=None)) == Pending(PSP)


@pytest.mark.parametrize(("code", "ours"), DECLINE_CODES.items())
def test_every_refusal_is_a_decline_that_is_classified(code: str, ours: str) -> None:
    assert ours in DECLINES
    assert said(PAY, refusal(code)) == Declined(ours, code, "Said", PSP)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (refusal("999"), "generic_decline"),
        (refusal("", "Cancelled"), "payer_cancelled"),
        (refusal("4", "Error"), "processing_error"),
        (refusal("5", additionalData={"refusalReasonRaw": "43 : Stolen card, pick up"}), "stolen_card"),
        (refusal("5", additionalData={"refusalReasonRaw": "62 : Restricted card"}), "restricted_card"),
        (
            refusal("2", additionalData={"merchantAdviceCode": "03 : Do not try again"}),
            "do_not_try_again",
        ),
        (refusal("6", additionalData={"merchantAdviceCode": "03"}), "do_not_try_again"),
        (refusal("14", additionalData={"merchantAdviceCode": "03"}), "suspected_fraud"),
    ],
)
def test_a_refusal_is_told_in_our_words(body: dict[str, Any], code: str) -> None:
    outcome = said(PAY, body)
    assert isinstance(outcome, Declined)
    assert outcome.code == code


REDIRECT = {"type": "redirect", "method": "GET", "url": "https://checkoutshopper-test.adyen.com/3ds?MD=1"}


@pytest.mark.parametrize(
    ("action", "ours"),
    [
        (REDIRECT, Redirect(REDIRECT["url"])),
        ({**REDIRECT, "method": "POST"}, Sdk("adyen", {**REDIRECT, "method": "POST"})),
        (
            {**REDIRECT, "url": f"https://a.test/{'x' * 3000}"},
            Sdk("adyen", {**REDIRECT, "url": f"https://a.test/{'x' * 3000}"}),
        ),
        (
            {"type": "threeDS2", "subtype": "challenge", "token": "eyJ0"},
            Sdk("adyen", {"type": "threeDS2", "subtype": "challenge", "token": "eyJ0"}),
        ),
        ({"type": "qrCode", "qrCodeData": "upi://pay?pa=shop"}, Qr("upi://pay?pa=shop")),
    ],
)
def test_what_the_payer_has_to_do(action: dict[str, Any], ours: object) -> None:
    outcome = said(PAY, payment("RedirectShopper", action=action, amount=None))
    assert isinstance(outcome, ActionRequired)
    assert (outcome.gateway_ref, outcome.action) == (PSP, ours)


def test_until_the_payer_has_acted_a_payment_may_be_known_by_our_reference_alone() -> None:
    asks = {"resultCode": "IdentifyShopper", "action": {"type": "threeDS2", "token": "eyJ0"}}
    outcome = said(PAY, asks)
    assert isinstance(outcome, ActionRequired)
    assert outcome.gateway_ref == f"{PAYMENT}-p1"
    assert said(CONFIRM, payment()) == Approved(PSP, captured=True)


def test_an_action_that_ends_says_when() -> None:
    qr = {"type": "qrCode", "qrCodeData": "upi://pay", "expiresAt": "2026-11-27T10:30:00+01:00"}
    outcome = said(PAY, payment("Pending", action=qr, amount=None))
    assert isinstance(outcome, ActionRequired)
    assert outcome.expires_at is not None
    assert outcome.expires_at.hour == 10


def test_a_second_action_follows_the_first() -> None:
    challenge = {"type": "threeDS2", "subtype": "challenge", "token": "eyJ0"}
    outcome = said(CONFIRM, {"resultCode": "ChallengeShopper", "action": challenge})
    assert isinstance(outcome, ActionRequired)
    assert outcome.action == Sdk("adyen", challenge)


@pytest.mark.parametrize("request_", [CAPTURE, REFUND, VOID], ids=lambda request: request.operation.value)
def test_a_change_is_only_taken_in(request_: GatewayRequest) -> None:
    outcome = said(request_, received(request_), 201)
    assert isinstance(outcome, Pending)
    assert outcome.gateway_ref == "KHQC5N7G84BLNK43"


def test_a_cancel_by_our_reference_is_answered_with_it() -> None:
    by_ours = replace(VOID, gateway_ref=f"{PAYMENT}-p1")
    body = received(by_ours, paymentReference=f"{PAYMENT}-p1")
    del body["paymentPspReference"], body["amount"]
    assert isinstance(said(by_ours, body, 201), Pending)


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (PAY, payment(merchantReference="another")),
        (PAY, payment(merchantReference=None)),
        (PAY, payment(amount={"value": 2000, "currency": "USD"})),
        (PAY, payment(amount={"value": 1999, "currency": "EUR"})),
        (PAY, payment(amount=None)),
        (PAY, refusal("2", merchantReference="another")),
        (CONFIRM, payment(merchantReference="pay_ffffffffffffffffffffffffffffffff-p1")),
        (CONFIRM, payment(merchantReference=f"{PAYMENT}c101")),
        (replace(CONFIRM, gateway_ref=f"{PAYMENT}-p2"), payment()),
        (CAPTURE, received(CAPTURE, paymentPspReference="ANOTHERPAYMENT82")),
        (CAPTURE, received(CAPTURE, reference=f"{PAYMENT}c102")),
        (CAPTURE, received(CAPTURE, merchantAccount="AnotherShop")),
        (REFUND, received(REFUND, amount={"value": 2000, "currency": "USD"})),
        (VOID, received(VOID, merchantAccount="AnotherShop")),
    ],
)
def test_an_answer_about_something_else_proves_nothing(
    request_: GatewayRequest, body: dict[str, Any]
) -> None:
    outcome = said(request_, body, 200 if "resultCode" in body else 201)
    assert isinstance(outcome, Unknown)
    assert outcome.kind is UnknownKind.MISMATCH


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        {},
        payment("PartiallyAuthorised"),
        payment("AuthenticationFinished"),
        payment(pspReference=None),
        payment("Fine"),
        payment(amount={"value": -1, "currency": "USD"}),
    ],
)
def test_what_can_not_be_read_is_in_doubt(body: Any) -> None:
    outcome = said(PAY, body)
    assert isinstance(outcome, Unknown)
    assert outcome.kind is UnknownKind.UNREADABLE


def failure(code: str) -> dict[str, Any]:
    return {"status": 422, "errorCode": code, "message": "Said", "errorType": "validation"}


def test_the_first_call_under_a_key_may_still_be_under_way() -> None:
    assert isinstance(said(PAY, failure("704"), 422), Unknown)
    assert isinstance(said(PAY, failure("908"), 422, transient_error="true"), Unknown)


@pytest.mark.parametrize(
    ("status", "code", "ours"),
    [
        (401, "000", "gateway_misconfigured"),
        (403, "901", "gateway_misconfigured"),
        (400, "702", "invalid_request"),
        (422, "14_030", "invalid_request"),
        (422, "101", "invalid_number"),
        (422, "800", "invalid_token"),
    ],
)
def test_a_request_that_is_turned_away_has_moved_nothing(status: int, code: str, ours: str) -> None:
    outcome = said(PAY, failure(code), status)
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.gateway_code) == (ours, code)


def test_too_many_calls_are_not_sent() -> None:
    outcome = said(PAY, {}, 429, Retry_After="7")
    assert outcome == NotSent("rate limited", 7.0, NotSentKind.RATE_LIMIT)


def test_an_error_of_adyens_is_kept_under_its_key_unless_it_is_transient() -> None:
    for headers, is_kept in (({}, True), ({"transient_error": "true"}, False)):
        outcome = said(PAY, failure("905"), 500, **headers)
        assert isinstance(outcome, Unknown)
        assert (outcome.kind, outcome.stored) == (UnknownKind.HTTP_5XX, is_kept)
    other = said(PAY, b"", 503)
    assert isinstance(other, Unknown)
    assert not other.stored


def item(code: str = "AUTHORISATION", **fields: Any) -> dict[str, Any]:
    return {
        "pspReference": PSP,
        "merchantAccountCode": ACCOUNT,
        "merchantReference": f"{PAYMENT}-p1",
        "amount": {"value": 1999, "currency": "USD"},
        "eventCode": code,
        "eventDate": "2026-11-27T10:00:00+01:00",
        "success": "true",
        **fields,
    }


def change(code: str, success: str = "true", **fields: Any) -> dict[str, Any]:
    names = {"pspReference": "KHQC5N7G84BLNK43", "originalReference": PSP, "success": success}
    return item(code, **{**names, **fields})


def signed(*items: dict[str, Any], secret: str = SECRET, live: str = "false") -> bytes:
    """A notification as Adyen's own SDK signs it."""
    wrapped = []
    for one in items:
        signature = generate_notification_sig(one, secret).decode()
        wrapped.append({"NotificationRequestItem": {**one, "additionalData": {"hmacSignature": signature}}})
    body = {"live": live, "notificationItems": wrapped}
    assert is_valid_hmac_notification(body, secret)
    return json.dumps(body).encode()


def events(body: bytes, **config: Any) -> list[GatewayEvent]:
    return list(adapter(**config).parse_webhook({}, body))


@pytest.mark.parametrize(
    ("given", "kind", "reference"),
    [
        (item(), "payment.authorized", PSP),
        (item(success="false"), "payment.failed", PSP),
        (change("CANCELLATION"), "payment.voided", PSP),
        (change("CANCELLATION", "false"), "CANCELLATION failed", PSP),
        (item("EXPIRE"), "EXPIRE", PSP),
        (change("WEATHER"), "WEATHER", PSP),
    ],
)
def test_a_notification_tells_in_our_words(given: dict[str, Any], kind: str, reference: str) -> None:
    (event,) = events(signed(given))
    assert (event.kind, event.gateway_ref, event.reference) == (kind, reference, f"{PAYMENT}-p1")
    assert (event.amount, event.mode, event.account) == (Money(1999, "USD"), "test", ACCOUNT)


def test_an_event_is_told_apart_by_reference_code_and_success() -> None:
    given = (item(), item(success="false"), change("CAPTURE"), change("CAPTURE_FAILED"))
    assert len({event.event_id for event in events(signed(*given))}) == len(given)
    assert events(signed(item()))[0].event_id == events(signed(item(reason="again")))[0].event_id


def test_a_body_holds_several() -> None:
    assert len(events(signed(item(), change("CAPTURE")))) == 2


@pytest.mark.parametrize(
    "money",
    [
        {"value": 1999, "currency": "CNH"},  # Adyen's, not ISO's
        {"value": 1999, "currency": "ISK"},  # Adyen counts two decimals, ISO none
        {"value": -5, "currency": "USD"},
        {"value": 10**19, "currency": "USD"},
        {"value": "", "currency": ""},
    ],
)
def test_money_that_can_be_none_of_ours_is_left_out_and_holds_nothing_back(money: dict[str, Any]) -> None:
    strange, ours = events(signed(item("REPORT_AVAILABLE", amount=money), item()))
    assert (strange.amount, ours.amount) == (None, Money(1999, "USD"))


@pytest.mark.parametrize("reference", ["", "x" * 300, "line\nbreak"])
def test_a_reference_that_can_be_none_of_ours_is_left_out_and_holds_nothing_back(reference: str) -> None:
    strange, ours = events(signed(item(merchantReference=reference), item()))
    assert (strange.reference, ours.reference) == (None, f"{PAYMENT}-p1")


@pytest.mark.parametrize(
    ("currency", "theirs", "ours"),
    [
        ("CLP", 199_900, 1999),
        ("CVE", 1999, 199_900),
        ("IDR", 1999, 199_900),
        ("ISK", 199_900, 1999),
        ("JPY", 1999, 1999),
        ("KWD", 1999, 1999),
    ],
)
def test_an_events_money_is_in_adyens_units(currency: str, theirs: int, ours: int) -> None:
    (event,) = events(signed(item(amount={"value": theirs, "currency": currency})))
    assert event.amount == Money(ours, currency)


def test_an_event_says_whose_it_is() -> None:
    (event,) = events(signed(item(merchantAccountCode="AnotherShop"), live="true"))
    assert (event.mode, event.account) == ("live", "AnotherShop")


def test_one_forged_item_spoils_the_body() -> None:
    good, bad = json.loads(signed(item())), json.loads(signed(item(), secret=OTHER))
    both = {**good, "notificationItems": good["notificationItems"] + bad["notificationItems"]}
    with pytest.raises(InvalidWebhook, match="wrong signature"):
        events(json.dumps(both).encode())


@pytest.mark.parametrize(
    "change_", [{"success": "false"}, {"amount": {"value": 1, "currency": "USD"}}, {"merchantReference": "x"}]
)
def test_a_signed_field_can_not_be_changed(change_: dict[str, Any]) -> None:
    body = json.loads(signed(item()))
    body["notificationItems"][0]["NotificationRequestItem"] |= change_
    with pytest.raises(InvalidWebhook, match="wrong signature"):
        events(json.dumps(body).encode())


def test_a_colon_that_is_moved_between_fields_names_no_payment() -> None:
    genuine = json.loads(signed(change("CAPTURE", originalReference=PSP, merchantAccountCode="B:C")))
    genuine["notificationItems"][0]["NotificationRequestItem"] |= {
        "originalReference": f"{PSP}:B",
        "merchantAccountCode": "C",
    }
    (event,) = events(json.dumps(genuine).encode())
    assert (event.reference, event.gateway_ref) == (None, None)


def test_while_a_key_rolls_both_are_good() -> None:
    for secret in (SECRET, OTHER):
        assert events(signed(item(), secret=secret), webhook_secrets=(OTHER, SECRET))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"live":"false","notificationItems":[]}',
        b'{"live":"perhaps","notificationItems":[{"NotificationRequestItem":{}}]}',
        b'{"live":"false","notificationItems":[{"NotificationRequestItem":{}}]}',
    ],
)
def test_what_is_no_notification_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidWebhook):
        events(body)


def test_without_a_key_nothing_is_believed() -> None:
    with pytest.raises(InvalidWebhook):
        events(signed(item()), webhook_secrets=())


def test_a_reference_of_digits_alone_is_kept_with_a_letter() -> None:
    digits = "8313547924770610"
    assert said(PAY, payment(pspReference=digits)) == Approved("8p313547924770610", captured=True)
    (event,) = events(signed(item(pspReference=digits)))
    assert event.gateway_ref == "8p313547924770610"


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"account": None}, "account: must name the merchant account"),
        ({"options": {"colour": "red"}}, "unknown option colour"),
        ({"options": {"return_url": "shop"}}, "return_url"),
        ({"options": {"key_lifetime_s": 0}}, "key_lifetime_s"),
        ({"options": {"multiple_partial_captures": "yes"}}, "multiple_partial_captures"),
        ({"webhook_secrets": ("whsec_1",)}, "hexadecimal"),
        ({"mode": "live"}, 'none for mode = "live"'),
        (
            {"base_url": "https://1797a841-Shop-checkout-live.adyenpayments.com/checkout"},
            'none for mode = "test"',
        ),
        (
            {"base_url": "https://1797a841-Shop-checkout-live.adyenpayments.com", "mode": "live"},
            "must be https://PREFIX",
        ),
    ],
)
def test_a_table_that_can_not_work_is_refused(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        adapter(**config)


def test_the_live_api_is_reached_under_the_companys_prefix() -> None:
    place = "https://1797a841-Shop-checkout-live.adyenpayments.com/checkout"
    assert adapter(place, mode="live").config.base_url == place


def test_keys_live_as_long_as_the_table_says() -> None:
    assert adapter().capabilities.key_lifetime_s == 7 * 86_400
    month_s = 31 * 86_400
    assert adapter(options={"key_lifetime_s": month_s}).capabilities.key_lifetime_s == month_s


@pytest.mark.parametrize(
    ("told", "kept"), [("016120310293123", "016120310293123"), ("MCC000000355 ", "MCC000000355"), (7, None)]
)
def test_the_networks_id_of_a_charge_is_kept_where_adyen_tells_it(told: object, kept: str | None) -> None:
    outcome = said(PAY, payment(additionalData={"networkTxReference": told}))
    assert outcome == Approved(PSP, network_transaction_id=kept)
