"""What the Razorpay adapter sends, and what it makes of answers and look-ups: by hand, without a socket."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from razorpay import Client
from support.flows import run
from support.gateway_specs import gateway_spec
from support.razorpay_answers import (
    CAPTURE,
    CHARGE,
    CREATE,
    HOLD,
    KEY_ID,
    MADE_AT_S,
    ORDER,
    PAID,
    PAYMENT,
    RECEIPT,
    REFUND,
    SECRET,
    VOID,
    adapter,
    answer,
    brought,
    failed,
    from_checkout,
    listed,
    of,
    order,
    paid_by,
    payment,
    refund,
    refusal,
    released,
    said,
    signature,
)

from aegis_worker.domain.actions import Sdk
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
from aegis_worker.gateways.razorpay.codes import DECLINE_CODES
from aegis_worker.gateways.razorpay.objects import items, read_order, read_payment, read_refund
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery

HELD, TAKEN = payment(), payment("captured")
HAS_PAID = Approved(ORDER, captured=False)
HELD_UNTIL = datetime.fromtimestamp(MADE_AT_S, UTC) + timedelta(days=3)
CONFIRMED_ERROR = {
    "error": {"code": "BAD_REQUEST_ERROR", "metadata": {"order_id": ORDER, "payment_id": PAID}}
}


def asked(operation: Operation, *answers: Any, reference: str = f"{PAYMENT}-p1", **query: Any) -> Any:
    """What the adapter makes of the answers to a look-up by the order's id."""
    given: dict[str, Any] = {"gateway_ref": ORDER, "amount": Money(50_000, "INR"), **query}
    flow = adapter().get_status(StatusQuery(operation, reference, **given))
    return run(flow, *(one if isinstance(one, HttpAnswer) else answer(one) for one in answers))[0]


def sent(request: GatewayRequest, *answers: HttpAnswer) -> Any:
    """The JSON of the last call."""
    _, calls = run(getattr(adapter(), request.operation.value)(request), *answers)
    return json.loads(calls[-1].body or b"null")


def test_an_order_says_that_only_we_capture_and_that_its_receipt_is_unique() -> None:
    _, (call,) = run(adapter().authenticate(CREATE), answer(order()))
    pair = base64.b64encode(f"{KEY_ID}:{SECRET}".encode()).decode()
    assert (call.method, call.path, call.headers["Authorization"]) == ("POST", "/v1/orders", f"Basic {pair}")
    assert json.loads(call.body or b"") == {
        "amount": 50_000,
        "currency": "INR",
        "receipt": RECEIPT,
        "unique_receipt": True,
        "payment": {
            "capture": "manual",
            "capture_options": {"manual_expiry_period": 4320, "refund_speed": "normal"},
        },
        "notes": {"merchant_payment_id": PAYMENT, "reference": RECEIPT, "method": "upi"},
    }
    assert len(RECEIPT) <= 40


def test_the_page_is_handed_what_checkout_needs_and_shows_the_chosen_method_alone() -> None:
    outcome = said(CREATE, answer(order()))
    assert isinstance(outcome, ActionRequired)
    assert isinstance(outcome.action, Sdk)
    options = dict(outcome.action.data)
    shown = options.pop("config")["display"]
    assert (outcome.gateway_ref, outcome.action.sdk) == (ORDER, "razorpay")
    assert options == {
        "key": KEY_ID,
        "order_id": ORDER,
        "amount": 50_000,
        "currency": "INR",
        "notes": order()["notes"],
    }
    assert shown["blocks"]["chosen"]["instruments"] == [{"method": "upi"}]
    assert shown["preferences"] == {"show_default_blocks": False}


@pytest.mark.parametrize(
    ("method", "instrument"),
    [
        ({"type": "card"}, {"method": "card"}),
        ({"type": "net_banking", "bank_code": "HDFC"}, {"method": "netbanking", "banks": ["HDFC"]}),
        ({"type": "wallet", "provider": "payzapp"}, {"method": "wallet", "wallets": ["payzapp"]}),
        ({"type": "pay_later", "provider": "lazypay"}, {"method": "paylater", "providers": ["lazypay"]}),
    ],
)
def test_a_bank_wallet_or_lender_that_was_chosen_is_the_one_that_checkout_shows(
    method: dict[str, str], instrument: dict[str, Any]
) -> None:
    request = paid_by(CREATE, **method)
    outcome = said(request, answer(order(notes=sent(request, answer(order()))["notes"])))
    assert outcome.action.data["config"]["display"]["blocks"]["chosen"]["instruments"] == [instrument]


def test_an_order_that_is_made_again_may_have_been_paid() -> None:
    assert said(CREATE, answer(order("attempted")), listed(HELD)) == HAS_PAID
    assert isinstance(said(CREATE, answer(order("attempted")), listed(failed())), ActionRequired)


def test_a_payer_who_is_not_there_pays_nothing() -> None:
    absent = replace(CREATE, terms=replace(CREATE.terms, off_session=True))
    assert run(adapter().authenticate(absent))[0].code == "authentication_required"


def test_a_token_is_not_taken() -> None:
    assert run(adapter().authenticate(paid_by(CREATE, type="card", token="t")))[0].code == "invalid_token"


@pytest.mark.parametrize("currency", ["BHD", "KWD", "OMR"])
def test_the_last_of_three_decimals_is_0(currency: str) -> None:
    able = adapter().capabilities
    assert able.takes(Money(99_990, currency))
    assert not able.takes(Money(99_991, currency))
    assert run(adapter().authenticate(of(CREATE, 99_991, currency)))[0].gateway_code == "amount_step"


def test_whatever_is_entered_in_checkout_needs_nothing_before_and_issues_no_token() -> None:
    able = adapter().capabilities
    assert able.methods == dict.fromkeys(("card", "upi", "net_banking", "wallet", "pay_later"), frozenset())
    assert able.held_only == frozenset()
    assert (able.issues_tokens, able.closes, able.confirms) == (False, False, True)
    assert Operation.CONFIRM not in able.moves_money


def test_a_currency_that_razorpay_does_not_take() -> None:
    assert not adapter().capabilities.takes(Money(100, "AFN"))


def test_a_receipt_that_is_not_unique_may_be_that_of_our_own_first_call() -> None:
    assert isinstance(said(CREATE, refusal("Order receipt should be unique.")), Unknown)
    assert said(CREATE, refusal("The amount must be at least INR 1.00", field="amount")) == Declined(
        "invalid_request", "BAD_REQUEST_ERROR", "The amount must be at least INR 1.00"
    )


def test_the_sdk_takes_the_same_signature_for_good() -> None:
    client = Client(auth=(KEY_ID, SECRET))
    assert client.utility.verify_payment_signature(from_checkout())
    assert said(brought(from_checkout()), answer(HELD)) == HAS_PAID


def test_whom_checkout_has_signed_for_has_paid() -> None:
    flow = adapter().confirm(brought(from_checkout()))
    outcome, (call,) = run(flow, answer(TAKEN))
    assert outcome == HAS_PAID
    assert (call.method, call.path, call.only_reads) == ("GET", f"/v1/payments/{PAID}", True)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"razorpay_payment_id": PAID},
        from_checkout(razorpay_signature=signature(secret="another")),
        from_checkout(razorpay_signature=""),
        from_checkout(razorpay_payment_id="pay_another"),
        # Signed for another order of the same account, and said to be for it.
        from_checkout(razorpay_order_id="order_2", razorpay_signature=signature("order_2")),
        {"error": {"metadata": {"order_id": "order_2"}}},
        {"error": "no"},
    ],
)
def test_what_is_not_checkouts_for_this_order_changes_nothing(data: Any) -> None:
    outcome, calls = run(adapter().confirm(brought(data)))
    assert (outcome.code, outcome.gateway_code, calls) == ("invalid_request", "not_from_checkout", [])


@pytest.mark.parametrize(
    "shown",
    [payment(order_id="order_2"), payment(amount=49_999), payment(currency="USD"), payment(id_="pay_2")],
)
def test_a_payment_that_was_signed_for_must_be_of_our_order_and_money(shown: Any) -> None:
    outcome = said(brought(from_checkout()), answer(shown))
    assert isinstance(outcome, Unknown)
    assert outcome.kind is UnknownKind.MISMATCH


def test_a_payment_that_was_signed_for_and_is_not_decided_is_asked_about_again() -> None:
    assert isinstance(said(brought(from_checkout()), answer(payment("created"))), Pending)
    assert isinstance(said(brought(from_checkout()), refusal("The id provided does not exist")), Declined)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("insufficient_funds", "insufficient_funds"),
        ("card_declined", "do_not_honor"),
        ("incorrect_otp", "authentication_failed"),
        ("payment_risk_check_failed", "suspected_fraud"),
        ("payment_cancelled", "payer_cancelled"),
        ("payment_failed", "generic_decline"),
        ("NA", "generic_decline"),
    ],
)
def test_a_payer_who_gave_up_is_declined_by_the_last_failure(reason: str, code: str) -> None:
    first = failed("card_expired", id_="pay_1", created_at=MADE_AT_S - 60)
    outcome = said(brought(CONFIRMED_ERROR), listed(failed(reason), first))
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.gateway_ref) == (code, ORDER)


def test_a_payer_who_gave_up_and_has_paid_all_the_same_has_paid() -> None:
    assert said(brought(CONFIRMED_ERROR), listed(failed(), HELD)) == HAS_PAID


def test_a_payer_who_gave_up_while_the_bank_decides_goes_on_waiting() -> None:
    outcome = said(brought(CONFIRMED_ERROR), listed(failed(), payment("created")))
    assert (outcome.code, outcome.gateway_code) == ("invalid_request", "not_failed")


def test_a_charge_captures_what_the_payer_has_paid() -> None:
    outcome, calls = run(adapter().process(CHARGE), listed(failed(), HELD), answer(TAKEN))
    assert outcome == Approved(ORDER, True, 50_000, 0)
    assert [(call.method, call.path, call.only_reads) for call in calls] == [
        ("GET", f"/v1/orders/{ORDER}/payments", True),
        ("POST", f"/v1/payments/{PAID}/capture", False),
    ]
    assert json.loads(calls[1].body or b"") == {"amount": 50_000, "currency": "INR"}


def test_of_several_that_were_paid_the_newest_is_captured() -> None:
    late = payment(id_="pay_late", created_at=MADE_AT_S + 60)
    _, calls = run(adapter().process(CHARGE), listed(HELD, late), answer(payment("captured", id_="pay_late")))
    assert calls[1].path == "/v1/payments/pay_late/capture"


def test_what_is_captured_already_is_not_captured_again() -> None:
    assert said(CHARGE, listed(HELD, TAKEN)) == Approved(ORDER, True, 50_000, 0)
    assert said(CAPTURE, listed(TAKEN)) == Approved(PAID)


def test_two_payments_of_one_order_that_were_both_captured_are_other_money() -> None:
    outcome = said(CHARGE, listed(TAKEN, payment("captured", id_="pay_2")))
    assert (outcome.kind, outcome.shows) == (UnknownKind.MISMATCH, "100000 INR")


def test_a_refused_capture_is_believed_once_the_payment_is_seen_to_be_uncaptured() -> None:
    no = refusal("This payment has already been captured")
    assert said(CHARGE, listed(HELD), no, listed(TAKEN)) == Approved(ORDER, True, 50_000, 0)
    assert said(CAPTURE, listed(HELD), no, listed(TAKEN)) == Approved(PAID)
    assert said(CAPTURE, listed(HELD), no, listed(HELD)).code == "invalid_request"
    assert isinstance(said(CAPTURE, listed(HELD), no, answer({}, 500)), Unknown)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ((NotSent("refused", kind=NotSentKind.TIMEOUT),), UnknownKind.ANSWER_TIMEOUT),
        ((answer({}, 503),), UnknownKind.NO_ANSWER),
        ((refusal("Authentication failed", 401),), UnknownKind.UNREADABLE),
        ((listed(HELD), refusal("too many", 429)), UnknownKind.RATE_LIMIT),
        ((listed(HELD), refusal("Authentication failed", 401)), UnknownKind.UNREADABLE),
        ((listed(HELD), NotSent("refused")), UnknownKind.NO_ANSWER),
        ((listed(HELD), answer({}, 500)), UnknownKind.HTTP_5XX),
        ((listed(HELD), refusal("bank", code="GATEWAY_ERROR")), UnknownKind.UNREADABLE),
        ((listed(HELD), refusal("bank", reason="capture_failed")), UnknownKind.UNREADABLE),
        (
            (listed(HELD), refusal("Only payments which have been authorized can be captured")),
            UnknownKind.UNREADABLE,
        ),
        # The list does not show yet what Checkout has signed for.
        ((listed(),), UnknownKind.NO_ANSWER),
        ((listed(failed()),), UnknownKind.NO_ANSWER),
    ],
)
def test_a_payer_who_has_paid_is_sent_nowhere_else(answers: Any, kind: UnknownKind) -> None:
    if len(answers) == 2 and isinstance(answers[1], HttpAnswer) and answers[1].status == 400:
        answers = (*answers, listed(HELD))
    outcome = said(CHARGE, *answers)
    assert isinstance(outcome, Unknown)
    assert (outcome.kind, outcome.stored) == (kind, False)


def test_a_hold_takes_no_call_beside_the_look() -> None:
    assert said(HOLD, listed(HELD)) == Approved(
        ORDER, False, 0, 0, still_held=True, capture_before=HELD_UNTIL
    )


def test_what_razorpay_gave_back_can_not_be_captured_any_more() -> None:
    for request in (CHARGE, HOLD, CAPTURE):
        outcome = said(request, listed(released()))
        assert (outcome.code, outcome.released) == ("authorization_expired", True)


def test_exactly_what_is_held_can_be_captured() -> None:
    outcome = said(of(CAPTURE, 40_000), listed(HELD))
    assert (outcome.code, outcome.gateway_code) == ("invalid_request", "amount_differs")
    assert (adapter().capabilities.partial_captures, adapter().capabilities.several_captures) == (
        False,
        False,
    )


def test_a_capture() -> None:
    assert said(CAPTURE, listed(HELD), answer(TAKEN)) == Approved(PAID)


@pytest.mark.parametrize("lagging", [(), (failed(),)])
def test_a_list_that_does_not_show_the_hold_yet_ends_no_capture_or_void_of_it(lagging: Any) -> None:
    assert isinstance(said(CAPTURE, listed(*lagging)), NotSent)
    assert asked(Operation.CAPTURE, listed(*lagging)) == NotFound()
    assert isinstance(said(VOID, listed(*lagging)), Pending)


def test_a_capture_that_was_not_taken_can_be_sent_again() -> None:
    wait = said(CAPTURE, listed(HELD), answer({"error": {"code": "BAD_REQUEST_ERROR"}}, 429, Retry_After="7"))
    assert wait == NotSent("rate limited", 7.0, NotSentKind.RATE_LIMIT)
    assert isinstance(said(CAPTURE, NotSent("refused")), NotSent)


def test_a_void_waits_until_razorpay_gives_it_back() -> None:
    assert isinstance(said(VOID, listed(HELD)), Pending)
    assert said(VOID, listed(released())) == Approved(ORDER, captured=False)
    assert said(VOID, listed(TAKEN)).code == "too_late"


def test_a_refund_has_its_key_and_names_it() -> None:
    flow = adapter().refund(of(REFUND, 30_000))
    outcome, calls = run(flow, listed(failed(), TAKEN), answer(refund(minor=30_000)))
    assert outcome == Approved("rfnd_FP8DDKxqJif6ca")
    assert calls[1].path == f"/v1/payments/{PAID}/refund"
    assert calls[1].headers["X-Refund-Idempotency"] == REFUND.idempotency_key
    assert len(REFUND.idempotency_key) >= 10
    assert json.loads(calls[1].body or b"") == {
        "amount": 30_000,
        "speed": "normal",
        "receipt": REFUND.idempotency_key,
        "notes": {"merchant_payment_id": PAYMENT, "reference": REFUND.idempotency_key},
    }


def test_a_refund_may_be_pending_fail_or_be_refused() -> None:
    assert isinstance(said(REFUND, listed(TAKEN), answer(refund("pending"))), Pending)
    assert isinstance(said(REFUND, listed(TAKEN), answer(refund("failed"))), Declined)
    assert said(REFUND, listed(TAKEN), refusal("fully refunded already")).code == "invalid_request"
    assert said(REFUND, listed(HELD)).gateway_code == "not_captured"


def test_another_call_under_a_refunds_key_is_a_doubt() -> None:
    for status, body in ((409, "still in progress"), (500, "Failed to fetch idempotency record")):
        assert isinstance(said(REFUND, listed(TAKEN), refusal(body, status)), Unknown)
    assert said(REFUND, listed(TAKEN), refusal("no", 500, "SERVER_ERROR")).stored


def test_a_refund_of_all_is_sent_again_although_nothing_seems_left() -> None:
    taken = payment("refunded", captured=True, amount_refunded=50_000)
    assert said(REFUND, listed(taken), answer(refund())) == Approved("rfnd_FP8DDKxqJif6ca")


def test_a_repeated_refund_is_of_the_same_payment_whatever_is_left_of_it() -> None:
    later = payment("captured", id_="pay_2", created_at=MADE_AT_S + 60)
    for first in (TAKEN, payment("refunded", captured=True, amount_refunded=50_000)):
        _, calls = run(adapter().refund(REFUND), listed(later, first), answer(refund()))
        assert calls[1].path == f"/v1/payments/{PAID}/refund"


@pytest.mark.parametrize("shown", [refund(receipt="another"), refund(minor=1), refund(payment_id="pay_2")])
def test_a_refund_of_another_is_not_believed(shown: Any) -> None:
    assert said(REFUND, listed(TAKEN), answer(shown)).kind is UnknownKind.MISMATCH


def test_an_order_is_looked_up_with_its_payments() -> None:
    assert isinstance(asked(Operation.AUTHENTICATE, order(), reference=RECEIPT), ActionRequired)
    attempted = order("attempted")
    assert asked(Operation.AUTHENTICATE, attempted, listed(HELD), reference=RECEIPT) == HAS_PAID
    waits = asked(Operation.AUTHENTICATE, attempted, listed(failed()), reference=RECEIPT)
    assert isinstance(waits, ActionRequired)
    over = asked(Operation.AUTHENTICATE, attempted, listed(released()), reference=RECEIPT)
    assert over.code == "authorization_expired"


def test_a_payment_that_failed_and_is_authorized_late_is_captured_while_the_payment_waits() -> None:
    late = payment(error_code="BAD_REQUEST_ERROR", error_reason="payment_timed_out")
    assert asked(Operation.AUTHENTICATE, order("attempted"), listed(late), reference=RECEIPT) == HAS_PAID


def test_an_order_is_found_by_its_receipt() -> None:
    query = StatusQuery(Operation.AUTHENTICATE, RECEIPT, amount=Money(50_000, "INR"))
    flow = adapter().find_by_reference(query)
    found, (call,) = run(flow, listed(order()))
    assert isinstance(found, ActionRequired)
    assert call.path == f"/v1/orders?receipt={RECEIPT}"
    longer = order(receipt=f"{RECEIPT}0")
    assert isinstance(run(adapter().find_by_reference(query), listed(longer, order()))[0], ActionRequired)
    assert run(adapter().find_by_reference(query), listed())[0] == NotFound()


def test_what_is_found_by_a_receipt_must_be_one_order_of_ours() -> None:
    query = StatusQuery(Operation.AUTHENTICATE, RECEIPT, amount=Money(50_000, "INR"))
    for shown in (listed(order(), order(id="order_2")), listed(order(receipt="x")), listed(order(amount=1))):
        assert run(adapter().find_by_reference(query), shown)[0].kind is UnknownKind.MISMATCH
    charge = replace(query, operation=Operation.PROCESS)
    assert isinstance(run(adapter().find_by_reference(charge))[0], Unknown)


def test_a_charge_that_was_paid_and_not_captured_has_not_happened() -> None:
    assert asked(Operation.PROCESS, listed(HELD)) == NotFound(payer_has_paid=True)
    for lagging in (listed(), listed(failed())):
        assert asked(Operation.PROCESS, lagging) == NotFound(payer_has_paid=True)
    held = Approved(ORDER, False, 0, 0, still_held=True, capture_before=HELD_UNTIL)
    assert asked(Operation.PROCESS, listed(HELD), capture=False) == held
    assert asked(Operation.PROCESS, listed(TAKEN)) == Approved(ORDER, True, 50_000, 0)
    assert asked(Operation.PROCESS, listed(released())).released


def test_look_ups_of_captures_voids_and_confirms() -> None:
    assert asked(Operation.CAPTURE, listed(TAKEN)) == Approved(PAID)
    assert asked(Operation.CAPTURE, listed(HELD)) == NotFound()
    assert asked(Operation.CAPTURE, listed(TAKEN), amount=Money(1, "INR")).kind is UnknownKind.MISMATCH
    assert isinstance(asked(Operation.VOID, listed(HELD)), Pending)
    assert asked(Operation.CONFIRM, listed(HELD)) == HAS_PAID
    assert asked(Operation.CONFIRM, listed(failed())) == NotFound()


def test_a_refund_is_found_by_its_own_id_or_by_our_key() -> None:
    key = REFUND.idempotency_key
    done = Approved("rfnd_FP8DDKxqJif6ca")
    assert asked(Operation.REFUND, refund(), reference=key, own_ref="rfnd_FP8DDKxqJif6ca") == done
    other = refund(id="rfnd_2", receipt=None)
    assert asked(Operation.REFUND, listed(TAKEN), listed(other, refund()), reference=key) == done
    assert asked(Operation.REFUND, listed(TAKEN), listed(other), reference=key) == NotFound()
    wrong = asked(Operation.REFUND, refund(id="rfnd_2"), reference=key, own_ref="rfnd_1")
    assert wrong.kind is UnknownKind.MISMATCH


def test_more_than_one_page_of_refunds_is_read() -> None:
    page = [refund(id=f"rfnd_{number}", receipt=None, minor=1) for number in range(100)]
    flow = adapter().get_status(
        StatusQuery(Operation.REFUND, REFUND.idempotency_key, ORDER, Money(50_000, "INR"))
    )
    found, calls = run(flow, listed(TAKEN), listed(*page), listed(refund()))
    assert found == Approved("rfnd_FP8DDKxqJif6ca")
    assert [call.path.partition("?")[2] for call in calls[1:]] == ["count=100&skip=0", "count=100&skip=100"]


def test_what_was_done_with_a_charge_is_told_with_it() -> None:
    theirs = refund("failed", 10_000, id="rfnd_2", receipt="by hand")
    found = asked(
        Operation.PROCESS, listed(TAKEN), listed(refund(minor=30_000), theirs), movements=True, capture=False
    )
    assert found.movements == (
        Movement(Operation.CAPTURE, 50_000, gateway_ref=PAID),
        Movement(Operation.REFUND, 30_000, "succeeded", REFUND.idempotency_key, "rfnd_FP8DDKxqJif6ca"),
        Movement(Operation.REFUND, 10_000, "failed", None, "rfnd_2", "failed"),
    )


def test_a_look_up_that_is_refused_proves_nothing() -> None:
    for status in (400, 401, 404, 429, 500):
        assert isinstance(
            asked(Operation.PROCESS, refusal("The id provided does not exist", status)), Unknown
        )


@pytest.mark.parametrize(
    "shown",
    [
        {"entity": "collection", "count": 2, "items": [payment()]},
        {"entity": "collection", "count": 1, "items": [payment(amount="50000")]},
        {"entity": "collection", "count": 1, "items": [payment("weird")]},
        {"entity": "collection", "count": 1, "items": [order()]},
        payment(),
        {},
    ],
)
def test_what_can_not_be_read_is_a_doubt(shown: Any) -> None:
    found = asked(Operation.PROCESS, shown)
    assert isinstance(found, Unknown)
    assert found.kind is UnknownKind.UNREADABLE


def test_every_code_is_one_of_ours() -> None:
    assert set(DECLINE_CODES.values()) <= set(DECLINES)


@pytest.mark.parametrize(
    "table",
    [
        {"account": None},
        {"account": "BFQ7uQEaa7j2z7"},
        {"options": {"key_id": "rzp_live_1DP5mmOlF5G5ag"}},
        {"options": {"key_id": "sk_test_1"}},
        {"options": {"key_id": None}},
        {"options": {"absence_window_s": -1}},
        {"options": {"what": 1}},
        {"mode": "live"},
    ],
)
def test_a_table_that_can_not_be_right(table: Any) -> None:
    with pytest.raises(ConfigurationError):
        adapter(**table)


def test_a_key_of_the_live_mode() -> None:
    assert adapter(mode="live", options={"key_id": "rzp_live_1DP5mmOlF5G5ag"})


@pytest.mark.parametrize("name", ["fake_payment", "fake_captured_payment"])
def test_razorpays_own_payments_can_be_read(name: str) -> None:
    shown = read_payment(gateway_spec(f"razorpay/{name}.json"))
    assert (shown.amount, shown.is_captured) == (Money(500, "INR"), name == "fake_captured_payment")


def test_razorpays_own_orders_and_refunds_can_be_read() -> None:
    assert read_order(gateway_spec("razorpay/fake_order.json")).receipt == "12121"
    assert read_refund(gateway_spec("razorpay/fake_refund.json")).amount == Money(300_100, "INR")
    orders = [read_order(one) for one in items(gateway_spec("razorpay/order_collection.json"))]
    assert [one.is_untried for one in orders] == [False, False]
    refunds = [read_refund(one) for one in items(gateway_spec("razorpay/refund_collection.json"))]
    assert {one.payment_id for one in refunds} == {"fake_payment_id"}
    payments = [read_payment(one) for one in items(gateway_spec("razorpay/payment_collection.json"))]
    assert {one.status for one in payments} == {"created"}


def test_razorpays_own_error_is_a_refusal() -> None:
    error = answer(gateway_spec("razorpay/bad_request_error.json"), 400)
    assert said(CREATE, error) == Declined("invalid_request", "BAD_REQUEST_ERROR", "The amount is invalid")
