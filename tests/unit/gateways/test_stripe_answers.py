"""What the Stripe adapter makes of answers, look-ups and events: by hand, without a socket."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from msgspec.structs import replace

from aegis_worker.domain.actions import Redirect, Sdk
from aegis_worker.domain.declines import DECLINES
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.errors import ConfigurationError, InvalidWebhook
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.kit.flows import Flow, HttpAnswer
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from aegis_worker.gateways.stripe.codes import DECLINE_CODES

SECRET = "whsec_1"
PAYMENT = "pay_0123456789abcdef0123456789abcdef"


def adapter(api_key: str = "sk_test_1", **config: Any) -> StripeAdapter:
    options = {"publishable_key": "pk_test_1", **config.pop("options", {})}
    given = {"mode": "test", "webhook_secrets": (SECRET,), **config}
    return StripeAdapter(
        GatewayConfig("stripe", "stripe", "https://api.stripe.com", api_key, options=options, **given)
    )


CONFIRM = GatewayRequest(
    Operation.PROCESS,
    PAYMENT,
    f"{PAYMENT}-p1",
    PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "pm_1"}),
    "pi_1",
)
CAPTURE = replace(CONFIRM, operation=Operation.CAPTURE, idempotency_key=f"{PAYMENT}c101")
VOID = replace(CONFIRM, operation=Operation.VOID, idempotency_key=f"{PAYMENT}x102")
REFUND = replace(CONFIRM, operation=Operation.REFUND, idempotency_key=f"{PAYMENT}b103")
ASKED = StatusQuery(Operation.PROCESS, CONFIRM.idempotency_key, "pi_1", CONFIRM.amount)


def intent(status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1999,
        "amount_received": 1999 if status == "succeeded" else 0,
        "client_secret": "pi_1_secret_2",
        "currency": "usd",
        "last_payment_error": None,
        "latest_charge": "ch_1",
        "livemode": False,
        "metadata": {"reference": f"{PAYMENT}-i1", "merchant_payment_id": PAYMENT},
        "next_action": None,
        "status": status,
        **fields,
    }


def refund(status: str = "succeeded", **fields: Any) -> dict[str, Any]:
    metadata = {"reference": REFUND.idempotency_key}
    shown = {"id": "re_1", "object": "refund", "amount": 1999, "currency": "usd", "payment_intent": "pi_1"}
    return {**shown, "metadata": metadata, "status": status, **fields}


def dispute(**fields: Any) -> dict[str, Any]:
    return {"id": "dp_1", "object": "dispute", "payment_intent": "pi_1", **fields}


def card_error(**fields: Any) -> dict[str, Any]:
    return {"type": "card_error", "code": "card_declined", "message": "Declined.", **fields}


def answered(flow: Flow[Any], status: int, body: Any, **headers: str) -> Any:
    """What the flow returns after its one call was answered like this."""
    next(flow)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(StopIteration) as end:
        flow.send(HttpAnswer(status, headers, raw))
    return end.value.value


def confirmed(status: int, body: Any, **headers: str) -> Any:
    return answered(adapter().process(CONFIRM), status, body, **headers)


def test_a_confirmed_intent_is_a_charge() -> None:
    assert confirmed(200, intent()) == Approved("pi_1", True, 1999, None)
    assert confirmed(200, intent("requires_capture")) == Approved("pi_1", False, 0, None)
    assert confirmed(200, intent("processing")) == Pending("pi_1")


def test_the_payer_is_redirected_or_stripe_js_goes_on() -> None:
    page = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/3ds"}}
    by_redirect = confirmed(200, intent("requires_action", next_action=page))
    assert by_redirect == ActionRequired("pi_1", Redirect("https://hooks.stripe.com/3ds"))
    in_page = confirmed(200, intent("requires_action", next_action={"type": "use_stripe_sdk"}))
    said = {"client_secret": "pi_1_secret_2", "publishable_key": "pk_test_1"}
    assert in_page == ActionRequired("pi_1", Sdk("stripe", said))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"decline_code": "insufficient_funds"}, "insufficient_funds"),
        ({"decline_code": "a_new_word"}, "generic_decline"),
        ({"code": "expired_card"}, "expired_card"),
        ({"decline_code": "do_not_honor", "advice_code": "do_not_try_again"}, "do_not_try_again"),
        ({"decline_code": "generic_decline", "network_advice_code": "03"}, "do_not_try_again"),
        ({"decline_code": "do_not_honor", "advice_code": "try_again_later"}, "do_not_honor"),
        ({"decline_code": "stolen_card", "advice_code": "do_not_try_again"}, "stolen_card"),
        (
            {"code": "authentication_required", "decline_code": "authentication_required"},
            "authentication_required",
        ),
    ],
)
def test_a_decline_is_in_our_words(error: dict[str, str], code: str) -> None:
    shown = intent("requires_payment_method", last_payment_error=card_error(**error))
    outcome = confirmed(402, {"error": card_error(**error, payment_intent=shown)})
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.gateway_ref) == (code, "pi_1")
    found = answered(adapter().get_status(ASKED), 200, shown)
    assert isinstance(found, Declined)
    assert found.code == code


def test_every_code_is_one_of_ours() -> None:
    assert set(DECLINE_CODES.values()) <= set(DECLINES)


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (401, {"type": "invalid_request_error"}, "gateway_misconfigured"),
        (403, {"type": "invalid_request_error"}, "gateway_misconfigured"),
        (
            400,
            {"type": "invalid_request_error", "code": "resource_missing", "param": "payment_method"},
            "invalid_token",
        ),
        (400, {"type": "invalid_request_error", "code": "amount_too_small"}, "invalid_request"),
    ],
)
def test_a_refusal_did_nothing(status: int, error: dict[str, str], outcome: str) -> None:
    said = confirmed(status, {"error": error})
    assert isinstance(said, Declined)
    assert said.code == outcome


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"type": "idempotency_error"}),
        (404, {"type": "invalid_request_error", "code": "resource_missing", "param": "intent"}),
        (409, {"type": "idempotency_error", "code": "idempotency_key_in_use"}),
        (400, {"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}),
        (402, {"type": "card_error", "code": "card_declined"}),
        (418, {"type": "a_new_type"}),
        (503, {"type": "api_error"}),
    ],
)
def test_what_may_have_done_something_is_unknown(status: int, error: dict[str, str]) -> None:
    said = confirmed(status, {"error": error})
    assert isinstance(said, Unknown)
    assert not said.stored


def test_a_500_may_be_stored_under_the_key() -> None:
    assert confirmed(500, b"oops") == Unknown("HTTP 500", stored=True, kind=UnknownKind.HTTP_5XX)


def test_a_429_left_everything_as_it_was() -> None:
    error = {"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Slower."}}
    assert confirmed(429, error, **{"Retry-After": "3"}) == NotSent("rate_limit", 3.0, NotSentKind.RATE_LIMIT)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "pi_2"},
        {"amount": 1998},
        {"amount_received": 1998},
        {"currency": "eur"},
        {"livemode": True},
        {"metadata": {"reference": "another"}},
        {"metadata": {}},
        {"status": "canceled"},
        {"status": "requires_confirmation"},
    ],
)
def test_an_answer_about_something_else_is_no_answer(changes: dict[str, Any]) -> None:
    said = confirmed(200, intent(**changes))
    assert isinstance(said, Unknown)
    assert said.kind is UnknownKind.MISMATCH


@pytest.mark.parametrize(
    "changes", [{"amount": "1999"}, {"livemode": None}, {"object": "charge"}, {"currency": "USD"}]
)
def test_a_field_of_another_type_makes_the_answer_unreadable(changes: dict[str, Any]) -> None:
    said = confirmed(200, intent(**changes))
    assert isinstance(said, Unknown)
    assert said.kind is UnknownKind.UNREADABLE


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [
        (intent("requires_confirmation"), NotFound()),
        (intent("requires_payment_method"), NotFound()),
        (intent("processing"), Pending("pi_1")),
        (intent(latest_charge={"amount_refunded": 500}), Approved("pi_1", True, 1999, 500)),
        (
            intent("canceled", cancellation_reason="abandoned"),
            Declined("generic_decline", "canceled", "cancelled at Stripe: abandoned", "pi_1", released=True),
        ),
    ],
)
def test_a_look_up_says_how_far_the_charge_got(shown: dict[str, Any], outcome: Any) -> None:
    assert answered(adapter().get_status(ASKED), 200, shown) == outcome


@pytest.mark.parametrize(("status", "body"), [(404, {"error": {}}), (200, b"<html>"), (401, {}), (500, {})])
def test_a_look_up_without_an_answer_proves_nothing(status: int, body: Any) -> None:
    assert isinstance(answered(adapter().get_status(ASKED), status, body), Unknown)


def test_an_unanswered_creation_is_repeated_and_not_searched_for() -> None:
    query = StatusQuery(Operation.INITIATE, f"{PAYMENT}-i1", None, CONFIRM.amount)
    with pytest.raises(StopIteration) as end:
        next(adapter().find_by_reference(query))
    assert end.value.value == NotFound()
    with pytest.raises(StopIteration) as end:
        next(adapter().find_by_reference(replace(query, operation=Operation.PROCESS)))
    assert isinstance(end.value.value, Unknown)


def test_a_capture_is_told_by_its_key_in_the_metadata() -> None:
    metadata = {"reference": f"{PAYMENT}-i1", CAPTURE.idempotency_key: "1999", f"{PAYMENT}c102": "1"}
    assert answered(adapter().capture(CAPTURE), 200, intent(metadata=metadata)) == Approved("pi_1")
    assert isinstance(answered(adapter().capture(CAPTURE), 200, intent()), Unknown)
    query = StatusQuery(Operation.CAPTURE, CAPTURE.idempotency_key, "pi_1", CAPTURE.amount)
    assert answered(adapter().get_status(query), 200, intent(metadata=metadata)) == Approved("pi_1")
    assert answered(adapter().get_status(query), 200, intent()) == NotFound()
    metadata[CAPTURE.idempotency_key] = "500"
    assert isinstance(answered(adapter().get_status(query), 200, intent(metadata=metadata)), Unknown)


def test_an_operation_out_of_turn_was_done_before_or_is_refused() -> None:
    error = {"type": "invalid_request_error", "code": "payment_intent_unexpected_state", "message": "No."}
    done = intent(metadata={"reference": f"{PAYMENT}-i1", CAPTURE.idempotency_key: "1999"})
    for request, shown, outcome in [
        (CAPTURE, done, Approved("pi_1")),
        (CAPTURE, intent(), Declined("invalid_request", error["code"], "No.", "pi_1")),
        (VOID, intent("canceled"), Approved("pi_1", captured=False)),
        (VOID, intent(), Declined("invalid_request", error["code"], "No.", "pi_1")),
    ]:
        flow = getattr(adapter(), request.operation.value)(request)
        assert answered(flow, 400, {"error": {**error, "payment_intent": shown}}) == outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("succeeded", Approved("re_1")),
        ("pending", Pending("re_1")),
        ("failed", Declined("generic_decline", "failed", "", "re_1")),
    ],
)
def test_a_refund_is_one_of_its_own(status: str, outcome: Any) -> None:
    query = StatusQuery(Operation.REFUND, REFUND.idempotency_key, "pi_1", REFUND.amount)
    listed = {"object": "list", "data": [refund(metadata={}), refund(status)], "has_more": False}
    assert answered(adapter().refund(REFUND), 200, refund(status)) == outcome
    assert answered(adapter().get_status(query), 200, listed) == outcome
    assert answered(adapter().get_status(replace(query, own_ref="re_1")), 200, refund(status)) == outcome


def test_a_list_of_refunds_proves_no_absence_where_it_goes_on() -> None:
    query = StatusQuery(Operation.REFUND, REFUND.idempotency_key, "pi_1", REFUND.amount)
    assert answered(adapter().get_status(query), 200, {"data": [], "has_more": False}) == NotFound()
    assert isinstance(answered(adapter().get_status(query), 200, {"data": [], "has_more": True}), Unknown)
    others = {"data": [refund(payment_intent="pi_2", metadata={})], "has_more": False}
    assert isinstance(answered(adapter().get_status(query), 200, others), Unknown)


def event(kind: str, about: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps(
        {"id": "evt_1", "type": kind, "livemode": False, "data": {"object": about}, **fields}
    ).encode()


def signed(body: bytes, *, age_s: int = 0, secret: str = SECRET) -> dict[str, str]:
    at_s = round(time.time()) - age_s
    made = hmac.new(secret.encode(), b"%d." % at_s + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={at_s},v1={'0' * 64},v1={made},v0=old"}


def test_an_event_names_the_intent_and_its_money() -> None:
    body = event("payment_intent.succeeded", intent())
    (said,) = adapter().parse_webhook(signed(body), body)
    assert (said.event_id, said.kind, said.gateway_ref) == ("evt_1", "payment.succeeded", "pi_1")
    assert (said.reference, said.amount) == (f"{PAYMENT}-i1", Money(1999, "USD"))


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        ("created", "dispute.opened"),
        ("updated", "dispute.updated"),
        ("funds_withdrawn", "dispute.updated"),
        ("funds_reinstated", "dispute.updated"),
        ("closed", "dispute.closed"),
    ],
)
def test_an_event_about_a_dispute_names_it_and_the_intent(kind: str, ours: str) -> None:
    body = event(f"charge.dispute.{kind}", dispute())
    (said,) = adapter().parse_webhook(signed(body), body)
    assert (said.kind, said.gateway_ref, said.dispute_ref, said.amount) == (ours, "pi_1", "dp_1", None)


def test_a_dispute_of_no_intent_names_no_charge() -> None:
    body = event("charge.dispute.created", dispute(payment_intent=None))
    (said,) = adapter().parse_webhook(signed(body), body)
    assert (said.gateway_ref, said.dispute_ref) == (None, "dp_1")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("pending", "refund.pending"),
        ("requires_action", "refund.pending"),
        ("succeeded", "refund.succeeded"),
        ("failed", "refund.failed"),
        ("canceled", "refund.failed"),
    ],
)
def test_an_event_about_a_refund_says_whose_it_is_and_how_it_stands(status: str, kind: str) -> None:
    body = event("charge.refund.updated", refund(status=status))
    (said,) = adapter().parse_webhook(signed(body), body)
    assert (said.kind, said.gateway_ref, said.reference) == (kind, "pi_1", refund()["metadata"]["reference"])


def test_a_capture_of_a_part_is_told_from_a_new_hold() -> None:
    for received, kind in ((0, "payment.authorized"), (500, "payment.captured")):
        body = event("payment_intent.amount_capturable_updated", intent(amount_received=received))
        (said,) = adapter().parse_webhook(signed(body), body)
        assert said.kind == kind


def test_an_event_says_its_mode_and_the_account_that_it_is_of() -> None:
    for livemode, mode in ((False, "test"), (True, "live")):
        body = event("payment_intent.created", intent(), livemode=livemode, account="acct_1")
        (said,) = adapter().parse_webhook(signed(body), body)
        assert (said.mode, said.account) == (mode, "acct_1")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (event("a.b", {}), {}),
        (event("a.b", {}), signed(event("a.b", {}), secret="another")),
        (event("a.b", {}), signed(event("a.b", {}), age_s=301)),
        (event("a.b", {}), {"Stripe-Signature": "t=1,t=2,v1=aa"}),
        (event("a.b", {}, livemode=None), signed(event("a.b", {}, livemode=None))),
        (b"[]", signed(b"[]")),
    ],
)
def test_a_forged_or_old_event_is_refused(body: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidWebhook):
        adapter().parse_webhook(headers, body)


@pytest.mark.parametrize(
    "config",
    [
        {"options": {"colour": "red"}},
        {"options": {"connected": True}},
        {"options": {"multicapture": "yes"}},
        {"options": {"publishable_key": "sk_test_1"}},
        {"options": {"absence_window_s": -1}},
        {"api_key": "sk_live_1"},
        {"api_key": "rk_test_1", "mode": "live"},
    ],
)
def test_a_table_that_can_not_be_right_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        adapter(**config)


def test_no_secret_is_shown_with_a_call() -> None:
    call = next(adapter("sk_test_secret").process(CONFIRM))
    assert "sk_test_secret" not in repr(call)


def test_the_networks_id_of_a_charge_is_kept_where_stripe_shows_it() -> None:
    card = {"payment_method_details": {"card": {"network_transaction_id": "016120310293123"}}}
    charge = {"amount_refunded": 0, **card}
    expected = Approved("pi_1", True, 1999, 0, network_transaction_id="016120310293123")
    assert answered(adapter().get_status(ASKED), 200, intent(latest_charge=charge)) == expected
    assert confirmed(200, intent(latest_charge=charge)) == expected
