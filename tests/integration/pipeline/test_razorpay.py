"""Payments through the pipeline to Razorpay's emulator: payers in Checkout, holds, and money that comes too late."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.merchant_server import Sink
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, ordering, row_is_fold
from support.payments import action_kept, attempts_of, last_error_of, payment_of, rows, story_of
from support.razorpay_process import RazorpayClient
from support.razorpay_shop import Shop, gateway_at, telling_razorpay
from support.sandbox_process import Sandbox, eventually

from aegis_worker.domain.transitions import State
from aegis_worker.errors import UnsupportedByGateway
from aegis_worker.persistence.database import Database

THREE_DAYS_S = 3 * 86_400
# Beside those that are run each time: another answer that was lost, or the gateway's own waits.
slow = pytest.mark.slow


@pytest.fixture(scope="module")
def razorpay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Sink]]:
    with telling_razorpay(tmp_path_factory.mktemp("razorpay")) as running:
        yield running


@pytest.fixture
def shop(database: Database, razorpay: tuple[Sandbox, Sink]) -> Iterator[Shop]:
    made = Shop(database, *razorpay, gateway_at(razorpay[0]))
    yield made
    made.gateway.close_connections()
    made.emulator.set_faults()


def steps(shop: Shop, payment_id: str) -> list[tuple[str, str]]:
    return [(call["operation"], call["status"]) for call in attempts_of(shop.database, payment_id)]


def test_a_payer_pays_in_checkout_and_we_capture(shop: Shop) -> None:
    payment_id = shop.begin()
    assert shop.state(payment_id) is State.REQUIRES_ACTION
    shop.confirms(payment_id, shop.pays(payment_id))
    assert shop.state(payment_id) is State.SUCCESS
    assert sorted(steps(shop, payment_id)) == [
        ("authenticate", "APPROVED"),
        ("confirm", "APPROVED"),
        ("process", "APPROVED"),
    ]
    assert shop.booked(payment_id) == [("succeeded", 50_000, 0)]
    assert action_kept(shop.database, payment_id) is None
    order_id = str(payment_of(shop.database, payment_id).gateway_ref)
    shop.hears(order_id, "payment.captured")
    assert rows(shop.database, "SELECT status FROM gateway_events")[0]["status"] == "no_news"
    assert row_is_fold(shop.database, payment_id)


def test_a_payer_who_pays_and_never_comes_back_is_charged_because_razorpay_tells(shop: Shop) -> None:
    payment_id = shop.begin()
    order_id = shop.order_of(payment_id)
    shop.pays(payment_id)
    assert shop.booked(payment_id) == [("authorized", 0, 0)]
    shop.hears(order_id, "payment.authorized")
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 50_000, 0)]


def test_a_payer_who_pays_is_charged_without_any_webhook(shop: Shop) -> None:
    payment_id = shop.begin()
    shop.time_passes()
    assert shop.state(payment_id) is State.REQUIRES_ACTION
    shop.pays(payment_id)
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS


def test_a_payer_whose_card_was_declined_pays_by_another_in_the_same_checkout(shop: Shop) -> None:
    payment_id = shop.begin()
    order_id = shop.order_of(payment_id)
    assert "error" in shop.pays(payment_id, "tok_soft_insufficient_funds")
    shop.hears(order_id, "payment.failed")
    assert shop.state(payment_id) is State.REQUIRES_ACTION
    shop.confirms(payment_id, shop.pays(payment_id))
    assert shop.state(payment_id) is State.SUCCESS
    assert sorted(row[1] for row in shop.booked(payment_id)) == [0, 50_000]
    assert row_is_fold(shop.database, payment_id)


def test_a_payer_who_gave_up_is_declined_by_the_last_failure(shop: Shop) -> None:
    payment_id = shop.begin()
    shop.confirms(payment_id, shop.pays(payment_id, "tok_soft_insufficient_funds"))
    assert shop.state(payment_id) is State.FAILURE
    assert last_error_of(payment_of(shop.database, payment_id))["code"] == "insufficient_funds"
    assert [row[1] for row in shop.booked(payment_id)] == [0]
    assert row_is_fold(shop.database, payment_id)


def test_what_checkout_did_not_sign_leaves_the_payment_waiting(shop: Shop) -> None:
    payment_id = shop.begin()
    other = shop.begin("key-2")
    theirs = shop.pays(other)
    shop.confirms(payment_id, {**theirs, "razorpay_order_id": shop.order_of(payment_id)})
    assert shop.state(payment_id) is State.REQUIRES_ACTION
    assert ("confirm", "DECLINED") in steps(shop, payment_id)
    shop.confirms(payment_id, shop.pays(payment_id), "confirm-2")
    assert shop.state(payment_id) is State.SUCCESS


def test_a_failed_payment_that_is_authorized_late_is_captured_while_the_payment_waits(shop: Shop) -> None:
    payment_id = shop.begin()
    order_id = shop.order_of(payment_id)
    assert "error" in shop.pays(payment_id, "tok_late_authorization_1")
    shop.hears(order_id, "payment.failed")
    assert shop.state(payment_id) is State.REQUIRES_ACTION
    shop.hears(order_id, "payment.authorized")
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 50_000, 0)]


@pytest.mark.parametrize("gave_up", [True, pytest.param(False, marks=slow)])
def test_money_that_comes_after_the_payment_has_ended_is_not_captured_and_goes_back(
    shop: Shop, gave_up: bool
) -> None:
    payment_id = shop.begin()
    order_id = shop.order_of(payment_id)
    failed = shop.pays(payment_id, "tok_late_authorization_1")
    if gave_up:
        shop.confirms(payment_id, failed)
    else:
        ordering(shop.database, shop.gateway, payment_id, VOID)
        shop.time_passes()
    ended = State.FAILURE if gave_up else State.CANCELLED
    story = story_of(shop.database, payment_id)
    assert shop.state(payment_id) is ended
    shop.hears(order_id, "payment.authorized")
    shop.time_passes()
    assert (shop.state(payment_id), story_of(shop.database, payment_id)) == (ended, story)
    assert shop.booked(payment_id) == [("authorized", 0, 0)]
    shop.emulator.post("/_sandbox/clock", {"advance_s": THREE_DAYS_S + 60})
    assert eventually(lambda: shop.booked(payment_id) == [("voided", 0, 0)])
    shop.hears(order_id, "refund.processed")
    assert (shop.state(payment_id), story_of(shop.database, payment_id)) == (ended, story)
    assert row_is_fold(shop.database, payment_id)


@pytest.mark.parametrize(
    "token",
    [
        "tok_drop",
        "tok_401_once",
        *(
            pytest.param(token, marks=slow)
            for token in ("tok_500", "tok_garbage", "tok_drop_nocharge_once", "tok_429_1_once")
        ),
    ],
)
def test_a_capture_in_doubt_is_made_once_and_its_payer_pays_once(shop: Shop, token: str) -> None:
    payment_id = shop.paid(token=token)
    assert shop.state(payment_id) is State.PROCESSING
    shop.time_passes()
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 50_000, 0)]
    assert [step for step, _ in steps(shop, payment_id)].count("authenticate") == 1
    assert "IN_DOUBT" in story_of(shop.database, payment_id)


def test_a_payer_who_has_paid_is_asked_no_second_time_however_often_the_capture_fails(shop: Shop) -> None:
    shop.emulator.set_faults(fail_share=1, fail_script="500_nocharge")
    payment_id = shop.paid()
    for _ in range(5):
        shop.time_passes(600)
    assert shop.state(payment_id) is State.PROCESSING
    assert story_of(shop.database, payment_id)[-1] == "REVIEW_REQUIRED"
    assert sorted(steps(shop, payment_id)) == [
        ("authenticate", "APPROVED"),
        ("confirm", "APPROVED"),
        ("process", "UNKNOWN"),
    ]
    assert shop.booked(payment_id) == [("authorized", 0, 0)]


def test_a_payment_that_was_called_off_is_not_captured_although_its_payer_has_paid(shop: Shop) -> None:
    shop.emulator.set_faults(fail_share=1, fail_script="500_nocharge")
    payment_id = shop.paid()
    ordering(shop.database, shop.gateway, payment_id, VOID)
    shop.emulator.set_faults()
    for _ in range(5):
        shop.time_passes(600)
    assert shop.state(payment_id) is State.FAILURE
    assert shop.booked(payment_id) == [("authorized", 0, 0)]


def test_a_hold_is_captured_whole_and_refunded_in_parts(shop: Shop) -> None:
    payment_id = shop.paid(capture_method="manual")
    assert shop.state(payment_id) is State.AUTHORIZED
    assert payment_of(shop.database, payment_id).capture_before is not None
    assert shop.booked(payment_id) == [("authorized", 0, 0)]
    with pytest.raises(UnsupportedByGateway):
        ordering(shop.database, shop.gateway, payment_id, CAPTURE, 20_000)
    capture = ordering(shop.database, shop.gateway, payment_id, CAPTURE)
    shop.works()
    assert shop.state(payment_id) is State.SUCCESS
    assert entity(shop.database, capture.id)["status"] == "succeeded"
    for minor, key in ((20_000, "r-1"), (30_000, "r-2")):
        ordering(shop.database, shop.gateway, payment_id, REFUND, minor, key)
        shop.works()
    assert amounts(shop.database, payment_id)["refunded"] == 50_000
    assert [row[1:] for row in shop.booked(payment_id)] == [(50_000, 50_000)]
    assert row_is_fold(shop.database, payment_id)


@pytest.mark.parametrize("token", ["tok_drop_on_capture", pytest.param("tok_500_on_capture", marks=slow)])
def test_a_capture_of_a_hold_in_doubt_is_no_second_one(shop: Shop, token: str) -> None:
    payment_id = shop.paid(token=token, capture_method="manual")
    ordering(shop.database, shop.gateway, payment_id, CAPTURE)
    shop.works()
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    order_id = str(payment_of(shop.database, payment_id).gateway_ref)
    shop.hears(order_id, "payment.captured")
    shop.time_passes()
    assert len(rows(shop.database, "SELECT 1 FROM captures")) == 1
    assert shop.booked(payment_id) == [("succeeded", 50_000, 0)]
    assert row_is_fold(shop.database, payment_id)


@pytest.mark.slow
def test_a_cancelled_hold_is_pending_until_razorpay_gives_it_back(shop: Shop) -> None:
    payment_id = shop.paid(token="tok_hold_2", capture_method="manual")
    void = ordering(shop.database, shop.gateway, payment_id, VOID)
    shop.works()
    assert shop.state(payment_id) is State.AUTHORIZED
    assert entity(shop.database, void.id)["status"] == "pending"
    order_id = str(payment_of(shop.database, payment_id).gateway_ref)
    shop.hears(order_id, "refund.processed")
    shop.time_passes()
    assert shop.state(payment_id) is State.CANCELLED
    assert entity(shop.database, void.id)["status"] == "succeeded"
    assert [row[1] for row in shop.booked(payment_id)] == [0]
    assert row_is_fold(shop.database, payment_id)


@slow
def test_a_hold_that_razorpay_gave_back_is_cancelled(shop: Shop) -> None:
    payment_id = shop.paid(token="tok_hold_1", capture_method="manual")
    order_id = str(payment_of(shop.database, payment_id).gateway_ref)
    shop.hears(order_id, "refund.processed")
    assert shop.state(payment_id) is State.CANCELLED
    assert row_is_fold(shop.database, payment_id)


@slow
def test_a_refund_that_is_pending_and_one_that_fails_late(shop: Shop) -> None:
    waiting = shop.paid(token="tok_pending_1_on_refund")
    failing = shop.paid("key-2", "tok_fails_late_1")
    pending = ordering(shop.database, shop.gateway, waiting, REFUND, 20_000)
    late = ordering(shop.database, shop.gateway, failing, REFUND, 20_000)
    shop.works()
    assert entity(shop.database, pending.id)["status"] == "pending"
    assert entity(shop.database, late.id)["status"] == "succeeded"
    shop.hears(waiting, "refund.processed")
    shop.hears(failing, "refund.failed")
    assert entity(shop.database, pending.id)["status"] == "succeeded"
    assert entity(shop.database, late.id)["status"] == "failed"
    for payment_id in (waiting, failing):
        assert row_is_fold(shop.database, payment_id)


def test_what_was_given_back_in_the_dashboard_is_a_refund_that_nobody_ordered(shop: Shop) -> None:
    payment_id = shop.paid()
    order_id = str(payment_of(shop.database, payment_id).gateway_ref)
    client = RazorpayClient(shop.emulator.url)
    (payment,) = client.get(f"/v1/orders/{order_id}/payments").json["items"]
    assert client.post(f"/v1/payments/{payment['id']}/refund", {"amount": 20_000}).status == 200
    shop.hears(order_id, "refund.processed")
    (refund,) = rows(shop.database, "SELECT origin, status, amount_minor FROM refunds")
    assert refund == {"origin": "gateway", "status": "succeeded", "amount_minor": 20_000}
    assert row_is_fold(shop.database, payment_id)
