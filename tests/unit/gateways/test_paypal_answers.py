"""What the PayPal adapter makes of answers and look-ups: by hand, without a socket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from support.flows import run
from support.paypal_answers import (
    CAPTURE,
    CARD,
    CHARGE,
    CREATE,
    HOLD,
    ORDER,
    PAYMENT,
    REFUND,
    VOID,
    adapter,
    answer,
    capture,
    hold,
    order,
    refund,
    refusal,
    said,
    usd,
    with_terms,
)

from aegis_worker.domain.actions import Redirect, Sdk
from aegis_worker.domain.declines import DECLINES
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Movement,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.kit.flows import HttpAnswer
from aegis_worker.gateways.paypal.codes import DECLINE_CODES, IN_DOUBT
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

HELD_CAPTURE = capture(value="5.00", invoice_id=CAPTURE.idempotency_key)
PART = with_terms(CAPTURE, amount=Money(500, "USD"))
SAVED_CARD = with_terms(CREATE, payment_method=CARD)
FOUR_DAYS_LATER_S = datetime(2026, 9, 25, 13, tzinfo=UTC).timestamp()
CAPTURED = order("COMPLETED", captures=[capture()])


def asked(operation: Operation, body: Any, reference: str = f"{PAYMENT}-p1", **query: Any) -> Any:
    """What the adapter makes of the answer to a look-up by the order's id."""
    given: dict[str, Any] = {"gateway_ref": ORDER, "amount": Money(1999, "USD"), **query}
    flow = adapter().get_status(StatusQuery(operation, reference, **given))
    return run(flow, body if isinstance(body, HttpAnswer) else answer(body))[0]


def test_an_order_that_its_payer_has_to_approve() -> None:
    outcome = said(CREATE, answer(order("PAYER_ACTION_REQUIRED"), 201))
    url = f"https://www.sandbox.paypal.com/checkoutnow?token={ORDER}"
    until = datetime(2026, 9, 21, 16, tzinfo=UTC)
    assert outcome == ActionRequired(ORDER, Redirect(url), until)


def test_without_a_page_to_come_back_to_the_payer_approves_in_the_shops() -> None:
    outcome = said(with_terms(CREATE, return_url=None), answer(order("PAYER_ACTION_REQUIRED"), 201))
    assert outcome.action == Sdk("paypal", {"client_id": "client_1", "order_id": ORDER})


def test_an_order_to_be_paid_by_a_saved_wallet_waits_for_nobody() -> None:
    request = with_terms(CREATE, payment_method={"type": "wallet", "provider": "paypal", "token": "vault_9"})
    assert said(request, answer(order("CREATED"), 201)) == Approved(ORDER, captured=False)


def test_a_card_whose_holder_is_there_may_have_to_be_authenticated() -> None:
    made = answer(order("CREATED"), 201)
    assert said(SAVED_CARD, made, answer(order("APPROVED"))) == Approved(ORDER, captured=False)
    outcome = said(SAVED_CARD, made, answer(order("PAYER_ACTION_REQUIRED", payment_source={"card": {}})))
    assert isinstance(outcome, ActionRequired)
    assert isinstance(outcome.action, Redirect)


def test_a_card_without_its_holder_is_not_authenticated() -> None:
    outcome = said(with_terms(SAVED_CARD, off_session=True), answer(order("CREATED"), 201))
    assert outcome == Approved(ORDER, captured=False)
    refused = said(
        with_terms(CHARGE, payment_method=CARD, off_session=True), refusal("PAYER_ACTION_REQUIRED")
    )
    assert refused.code == "authentication_required"


def test_a_payer_who_is_not_there_approves_nothing() -> None:
    flow = adapter().authenticate(with_terms(CREATE, off_session=True))
    assert run(flow)[0].code == "authentication_required"


def test_a_charge() -> None:
    assert said(CHARGE, answer(CAPTURED, 201)) == Approved(ORDER, True, 1999, 0)


def test_a_charge_that_paypal_looks_at_first() -> None:
    pending = capture("PENDING", status_details={"reason": "ECHECK"})
    outcome = said(CHARGE, answer(order("COMPLETED", captures=[pending]), 201))
    assert outcome == Pending(ORDER, "pending at PayPal: ECHECK")


@pytest.mark.parametrize(
    ("processor", "code"),
    [
        ({"response_code": "5120"}, "insufficient_funds"),
        ({"response_code": "9520"}, "lost_card"),
        ({"response_code": "0500", "payment_advice_code": "03"}, "do_not_try_again"),
        ({"response_code": "what"}, "generic_decline"),
        (None, "generic_decline"),
    ],
)
def test_a_card_that_was_declined(processor: Any, code: str) -> None:
    declined = capture("DECLINED", processor_response=processor)
    outcome = said(CHARGE, answer(order("COMPLETED", captures=[declined]), 201))
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.gateway_ref) == (code, ORDER)


@pytest.mark.parametrize(
    ("issue", "code"),
    [
        ("INSTRUMENT_DECLINED", "do_not_honor"),
        ("PAYER_ACTION_REQUIRED", "authentication_required"),
        ("MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED", "velocity_exceeded"),
        ("TRANSACTION_REFUSED", "generic_decline"),
        ("PAYER_ACCOUNT_LOCKED_OR_CLOSED", "closed_account"),
        ("TOKEN_ID_NOT_FOUND", "invalid_token"),
        ("ORDER_NOT_APPROVED", "authentication_expired"),
        ("PAYEE_ACCOUNT_RESTRICTED", "gateway_misconfigured"),
        ("SHIPPING_ADDRESS_INVALID", "invalid_request"),
    ],
)
def test_a_charge_that_was_refused(issue: str, code: str) -> None:
    outcome = said(CHARGE, refusal(issue))
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.gateway_code) == (code, issue)


@pytest.mark.parametrize("issue", sorted(IN_DOUBT))
def test_a_refusal_that_may_be_about_our_own_first_call_is_a_doubt(issue: str) -> None:
    assert isinstance(said(CHARGE, refusal(issue)), Unknown)


def test_every_code_is_one_of_ours() -> None:
    assert set(DECLINE_CODES.values()) <= DECLINES.keys()


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_paypal_refuses(status: int) -> None:
    error = {"name": "AUTHENTICATION_FAILURE", "message": "no"}
    flow = adapter().process(CHARGE)
    token = answer({"access_token": "A21_next", "expires_in": 32400})
    answers = (
        [answer(error, status), token, answer(error, status)] if status == 401 else [answer(error, status)]
    )
    outcome, _ = run(flow, *answers)
    assert isinstance(outcome, Declined)
    assert outcome.code == "gateway_misconfigured"


@pytest.mark.parametrize("status", [404, 405, 409, 500, 503])
def test_any_other_error_is_a_doubt(status: int) -> None:
    outcome = said(CHARGE, refusal("RESOURCE_NOT_FOUND", status))
    assert isinstance(outcome, Unknown)
    assert outcome.stored == (status == 500)


def test_too_many_calls() -> None:
    outcome = said(CHARGE, refusal("RATE_LIMIT_REACHED", 429, retry_after="7"))
    assert outcome == NotSent("RATE_LIMIT_REACHED", 7.0, NotSentKind.RATE_LIMIT)


@pytest.mark.parametrize(
    "other",
    [
        {"id": "ANOTHER"},
        {"invoice_id": "pay_ffffffffffffffffffffffffffffffff-a1"},
        {"amount": usd("20.00")},
        {"amount": {"currency_code": "EUR", "value": "19.99"}},
        {"payee": {"merchant_id": "ANOTHER"}},
        {"payee": None},
        {"invoice_id": None},
    ],
)
def test_an_answer_about_something_else_proves_nothing(other: dict[str, Any]) -> None:
    body = order("COMPLETED", captures=[capture()])
    target = body if "id" in other else body["purchase_units"][0]
    target.update(other)
    for outcome in (said(CHARGE, answer(body, 201)), asked(Operation.PROCESS, body)):
        assert isinstance(outcome, Unknown)
        assert outcome.kind is UnknownKind.MISMATCH


def test_less_than_was_asked_for_is_a_doubt() -> None:
    outcome = said(CHARGE, answer(order("COMPLETED", captures=[capture(value="5.00")]), 201))
    assert isinstance(outcome, Unknown)
    assert outcome.shows == "500 USD"


@pytest.mark.parametrize("amount", ["1999", "19.999", "-1.00", "1e3", "", "١٩.٩٩"])
def test_an_amount_that_paypal_would_never_write_is_unreadable(amount: str) -> None:
    body = order("COMPLETED", captures=[capture(value=amount)])
    assert isinstance(said(CHARGE, answer(body, 201)), Unknown)


def test_a_hold_says_when_it_ends() -> None:
    request = with_terms(CHARGE, capture_method="manual")
    outcome = said(request, answer(order("COMPLETED", "AUTHORIZE", authorizations=[hold()]), 201))
    assert isinstance(outcome, Approved)
    assert not outcome.captured
    assert outcome.capture_before == datetime(2026, 10, 20, 13, tzinfo=UTC)


def held(*authorizations: Any, **made: Any) -> dict[str, Any]:
    return order("COMPLETED", "AUTHORIZE", authorizations=authorizations or [hold()], **made)


def test_a_capture_looks_where_to_take_from() -> None:
    flow = adapter().capture(PART)
    outcome, calls = run(flow, answer(held()), answer(HELD_CAPTURE, 201))
    assert outcome == Approved("2GG279541U471931P")
    assert [call.path for call in calls] == [
        f"/v2/checkout/orders/{ORDER}",
        f"/v2/payments/authorizations/{HOLD}/capture",
    ]
    assert [call.only_reads for call in calls] == [True, False]


def test_a_capture_that_was_made_before_is_not_made_again() -> None:
    outcome, calls = run(adapter().capture(PART), answer(held(captures=[HELD_CAPTURE])))
    assert outcome == Approved("2GG279541U471931P")
    assert len(calls) == 1


def test_after_three_days_a_hold_is_renewed_before_it_is_captured() -> None:
    flow = adapter(lambda: FOUR_DAYS_LATER_S).capture(PART)
    renewed = hold(id_="NEWHOLD", amount=usd("5.00"))
    outcome, calls = run(flow, answer(held()), answer(renewed, 201), answer(HELD_CAPTURE, 201))
    assert isinstance(outcome, Approved)
    assert [call.path.partition("/authorizations/")[2] for call in calls[1:]] == [
        f"{HOLD}/reauthorize",
        "NEWHOLD/capture",
    ]
    keys = [call.headers["PayPal-Request-Id"] for call in calls[1:]]
    assert keys == [f"{PAYMENT}c101-again", f"{PAYMENT}c101"]


@pytest.mark.parametrize(
    "issue", ["REAUTHORIZATION_NOT_SUPPORTED", "PAYER_CANNOT_PAY", "TRANSACTION_REFUSED"]
)
def test_where_paypal_does_not_renew_a_hold_the_capture_decides(issue: str) -> None:
    answers = (answer(held()), refusal(issue), answer(HELD_CAPTURE, 201))
    assert isinstance(said(PART, *answers, at_s=FOUR_DAYS_LATER_S), Approved)


@pytest.mark.parametrize(
    "lost",
    [
        Unknown("reset"),
        answer(b"", 503),
        answer(b"nonsense", 201),
        answer(hold(amount=usd("4.99")), 201),
        refusal("PREVIOUS_REQUEST_IN_PROGRESS", 409),
    ],
)
def test_in_doubt_about_the_renewal_nothing_is_captured(lost: Any) -> None:
    assert isinstance(said(PART, answer(held()), lost, at_s=FOUR_DAYS_LATER_S), NotSent)


@pytest.mark.parametrize(
    "body",
    [
        held(hold("PARTIALLY_CAPTURED")),
        held(hold(), hold(id_="RENEWED", create_time="2026-09-24T14:00:00Z")),
        {**held(), "payment_source": {"card": {}}},
    ],
)
def test_what_paypal_would_not_renew_is_captured_as_it_is(body: Any) -> None:
    outcome, calls = run(
        adapter(lambda: FOUR_DAYS_LATER_S).capture(PART), answer(body), answer(HELD_CAPTURE, 201)
    )
    assert isinstance(outcome, Approved)
    assert len(calls) == 2


def test_a_capture_is_taken_from_the_renewed_hold() -> None:
    body = held(hold(id_="RENEWED", create_time="2026-09-24T14:00:00Z"), hold())
    _, calls = run(adapter().capture(PART), answer(body), answer(HELD_CAPTURE, 201))
    assert calls[1].path == "/v2/payments/authorizations/RENEWED/capture"


@pytest.mark.parametrize("status", ["VOIDED", "EXPIRED", "CAPTURED", "DENIED"])
def test_nothing_is_captured_where_nothing_is_held(status: str) -> None:
    outcome = said(PART, answer(held(hold(status))))
    assert isinstance(outcome, Declined)
    # The order's id is none of a capture, so it is not told as one.
    assert (outcome.code, outcome.gateway_ref) == ("too_late", None)


@pytest.mark.parametrize("request_", [PART, VOID, REFUND], ids=lambda one: one.operation.value)
@pytest.mark.parametrize("lost", [Unknown("reset"), NotSent("refused"), answer(b"", 503), answer(b"?", 200)])
def test_whatever_goes_wrong_before_the_call_nothing_was_sent(request_: GatewayRequest, lost: Any) -> None:
    assert isinstance(said(request_, lost), NotSent)


def test_a_void_looks_first_and_is_done_once() -> None:
    flow = adapter().void(VOID)
    outcome, calls = run(flow, answer(held()), answer(hold("VOIDED"), 200))
    assert outcome == Approved(ORDER, captured=False)
    assert calls[1].path == f"/v2/payments/authorizations/{HOLD}/void"
    assert "PayPal-Request-Id" not in calls[1].headers
    again, calls = run(adapter().void(VOID), answer(held(hold("VOIDED"))))
    assert again == Approved(ORDER, captured=False)
    assert len(calls) == 1


def test_a_void_releases_the_first_hold_whatever_was_made_of_it() -> None:
    body = held(hold(id_="RENEWED", create_time="2026-09-24T14:00:00Z"), hold())
    _, calls = run(adapter().void(VOID), answer(body), HttpAnswer(204, {}, b""))
    assert calls[1].path == f"/v2/payments/authorizations/{HOLD}/void"


def test_a_void_that_came_second_is_done() -> None:
    assert isinstance(said(VOID, answer(held()), refusal("PREVIOUSLY_VOIDED")), Approved)
    too_late = said(VOID, answer(held()), refusal("PREVIOUSLY_CAPTURED"))
    assert isinstance(too_late, Declined)
    assert too_late.code == "too_late"


@pytest.mark.parametrize(
    "lost", [Unknown("reset"), answer(b"", 500), refusal("PREVIOUS_REQUEST_IN_PROGRESS", 409)]
)
def test_a_void_in_doubt(lost: Any) -> None:
    if isinstance(lost, Unknown):
        flow = adapter().void(VOID)
        with pytest.raises(Exception, match="reset"):
            run(flow, answer(held()), lost)
        return
    assert isinstance(said(VOID, answer(held()), lost), Unknown)


def test_what_was_charged_is_not_voided() -> None:
    assert isinstance(said(VOID, answer(CAPTURED)), Declined)


def test_a_refund_is_made_of_a_capture_with_enough_left() -> None:
    captures = [capture(value="5.00"), capture(value="14.99", id_="SECOND")]
    body = held(captures=captures, refunds=[refund(value="1.00", invoice_id="by hand")])
    request = with_terms(REFUND, amount=Money(450, "USD"))
    outcome, calls = run(adapter().refund(request), answer(body), answer(refund(value="4.50"), 201))
    assert isinstance(outcome, Approved)
    assert calls[1].path == "/v2/payments/captures/SECOND/refund"
    whole = said(REFUND, answer(body))
    assert isinstance(whole, Declined)
    assert whole.gateway_code == "REFUND_AMOUNT_EXCEEDED"


@pytest.mark.parametrize(
    ("status", "kind"),
    [("COMPLETED", Approved), ("PENDING", Pending), ("FAILED", Declined), ("CANCELLED", Declined)],
)
def test_how_a_refund_stands(status: str, kind: type) -> None:
    made = refund(status)
    assert isinstance(said(REFUND, answer(CAPTURED), answer(made, 201)), kind)
    shown = order("COMPLETED", captures=[capture()], refunds=[made])
    assert isinstance(said(REFUND, answer(shown)), kind)
    key = REFUND.idempotency_key
    assert isinstance(asked(Operation.REFUND, shown, key), kind)
    assert isinstance(asked(Operation.REFUND, made, key, own_ref=made["id"]), kind)


def test_another_refund_than_was_asked_about() -> None:
    assert isinstance(asked(Operation.REFUND, refund(), REFUND.idempotency_key, own_ref="ANOTHER"), Unknown)
    other = answer(refund(invoice_id="another"), 201)
    assert isinstance(said(REFUND, answer(CAPTURED), other), Unknown)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (order("CREATED"), NotFound),
        (order("APPROVED"), NotFound),
        (order("PAYER_ACTION_REQUIRED"), NotFound),
        (order("VOIDED"), Declined),
        (CAPTURED, Approved),
        (order("COMPLETED", captures=[capture("PENDING")]), Pending),
        (order("COMPLETED", captures=[capture("DECLINED")]), Declined),
        (held(), Approved),
        (held(hold("PENDING")), Pending),
        (held(hold("VOIDED")), Declined),
        (held(hold("DENIED")), Declined),
        (held(hold("CAPTURED"), captures=[HELD_CAPTURE]), Approved),
        (held(hold("CAPTURED"), captures=[{**HELD_CAPTURE, "status": "DECLINED"}]), Approved),
        (answer(order(), 404), Unknown),
        (answer(b"?", 200), Unknown),
        (answer({**order(), "purchase_units": []}), Unknown),
    ],
)
def test_what_a_look_up_of_the_charge_finds(body: Any, kind: type) -> None:
    assert isinstance(asked(Operation.PROCESS, body), kind)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("CREATED", Approved),
        ("APPROVED", Approved),
        ("COMPLETED", Approved),
        ("PAYER_ACTION_REQUIRED", ActionRequired),
        ("VOIDED", Declined),
    ],
)
def test_what_a_look_up_of_the_approval_finds(status: str, kind: type) -> None:
    assert isinstance(asked(Operation.AUTHENTICATE, order(status), f"{PAYMENT}-a1"), kind)


def test_a_wallets_order_that_was_only_made_waits_for_its_payer() -> None:
    body = order("CREATED", payment_source={"paypal": {}})
    assert isinstance(asked(Operation.AUTHENTICATE, body, f"{PAYMENT}-a1"), ActionRequired)


def test_a_hold_that_has_expired_says_so() -> None:
    found = asked(Operation.PROCESS, held(hold("EXPIRED")))
    assert (found.code, found.released) == ("authorization_expired", True)
    assert isinstance(asked(Operation.VOID, held(hold("EXPIRED")), VOID.idempotency_key), Declined)


def test_what_a_look_up_of_a_void_or_capture_finds() -> None:
    void, take = VOID.idempotency_key, CAPTURE.idempotency_key
    assert isinstance(asked(Operation.VOID, held(), void), NotFound)
    assert isinstance(asked(Operation.VOID, held(hold("VOIDED")), void), Approved)
    assert isinstance(asked(Operation.CAPTURE, held(), take), NotFound)
    five = {"amount": Money(500, "USD")}
    assert isinstance(asked(Operation.CAPTURE, held(captures=[HELD_CAPTURE]), take, **five), Approved)
    own = {"own_ref": HELD_CAPTURE["id"], **five}
    assert isinstance(asked(Operation.CAPTURE, HELD_CAPTURE, take, **own), Approved)
    other = asked(Operation.CAPTURE, held(captures=[HELD_CAPTURE]), take)
    assert isinstance(other, Unknown)
    assert other.kind is UnknownKind.MISMATCH


def test_a_charge_shows_what_was_done_with_it_since() -> None:
    by_hand = capture(value="7.00", id_="BYHAND")
    body = held(captures=[HELD_CAPTURE, by_hand], refunds=[refund("PENDING", "1.00")])
    found = asked(Operation.PROCESS, body, movements=True)
    assert (found.captured, found.captured_minor, found.refunded_minor, found.still_held) == (
        True,
        1200,
        0,
        True,
    )
    assert found.movements == (
        Movement(Operation.CAPTURE, 500, "succeeded", CAPTURE.idempotency_key, HELD_CAPTURE["id"]),
        Movement(Operation.CAPTURE, 700, "succeeded", None, "BYHAND"),
        Movement(Operation.REFUND, 100, "pending", REFUND.idempotency_key, "1JU08902781691411"),
    )


def test_a_refund_by_hand_repeats_the_captures_reference_and_is_not_taken_for_it() -> None:
    body = held(captures=[HELD_CAPTURE], refunds=[refund(invoice_id=CAPTURE.idempotency_key)])
    found = asked(Operation.PROCESS, body, movements=True)
    assert found.movements[1].reference is None


def test_without_the_orders_id_nothing_can_be_asked() -> None:
    flow = adapter().find_by_reference(StatusQuery(Operation.AUTHENTICATE, f"{PAYMENT}-a1"))
    assert isinstance(run(flow)[0], NotFound)
    flow = adapter().find_by_reference(StatusQuery(Operation.PROCESS, f"{PAYMENT}-p1"))
    assert isinstance(run(flow)[0], Unknown)


def test_keys_live_as_long_as_paypal_keeps_them() -> None:
    able = adapter().capabilities
    assert able.keeps_key_s(Operation.AUTHENTICATE) == able.keeps_key_s(Operation.PROCESS) == 6 * 3600
    assert able.keeps_key_s(Operation.CAPTURE) == able.keeps_key_s(Operation.REFUND) == 45 * 86_400


@pytest.mark.parametrize(
    ("money", "is_taken"),
    [
        (Money(1999, "USD"), True),
        (Money(500, "JPY"), True),
        (Money(10_000, "HUF"), True),
        (Money(10_050, "HUF"), False),
        (Money(1999, "INR"), False),
        (Money(12_345, "BHD"), False),
    ],
)
def test_amounts_that_paypal_takes(money: Money, is_taken: bool) -> None:
    assert adapter().capabilities.takes(money) == is_taken
    flow = adapter().authenticate(with_terms(CREATE, amount=money))
    if not is_taken:
        assert run(flow)[0].gateway_code == "amount_step"


def test_a_charge_without_an_order_is_not_sent() -> None:
    assert isinstance(run(adapter().process(replace(CHARGE, gateway_ref=None)))[0], NotSent)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"account": None}, "account"),
        ({"options": {"client_id": ""}}, "client_id"),
        ({"options": {"return_url": "shop"}}, "return_url"),
        ({"options": {"approval_s": True}}, "approval_s"),
        ({"options": {"colour": 1}}, "colour"),
        ({"mode": "live"}, "base_url"),
        ({"base_url": "https://api-m.paypal.com"}, "base_url"),
    ],
)
def test_a_table_that_can_not_be_right(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        adapter(**changes)
