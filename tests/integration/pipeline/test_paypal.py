"""Payments through the pipeline to PayPal's emulator: payers who approve, holds, and what its webhooks may do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.merchant_server import Sink
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, ordering, row_is_fold
from support.payments import action_kept, attempts_of, payment_of, rows, story_of
from support.paypal_shop import Shop, shop_at, telling_paypal
from support.sandbox_process import Sandbox, eventually

from aegis_worker.cli.checks_unverified import unverified as unverified_for_long
from aegis_worker.domain.transitions import State
from aegis_worker.errors import InvalidWebhook, TooBusy
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateway_events import unverified
from aegis_worker.gateways.paypal.adapter import PayPalAdapter
from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.persistence.database import Database

APPROVED, REVERSED = "CHECKOUT.ORDER.APPROVED", "CHECKOUT.PAYMENT-APPROVAL.REVERSED"
COMPLETED = "PAYMENT.CAPTURE.COMPLETED"
# Of a wallet whose approval PayPal reverses after three seconds.
REVERSED_SOON = 900_039
FOUR_DAYS_S = 4 * 86_400


@pytest.fixture(scope="module")
def paypal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Sink, Path]]:
    with telling_paypal(tmp_path_factory.mktemp("paypal")) as running:
        yield running


@pytest.fixture
def shop(database: Database, paypal: tuple[Sandbox, Sink, Path]) -> Iterator[Shop]:
    made = shop_at(database, *paypal)
    yield made
    made.gateway.close_connections()
    made.emulator.set_faults()


def steps(shop: Shop, payment_id: str) -> list[tuple[str, str]]:
    return [(call["operation"], call["status"]) for call in attempts_of(shop.database, payment_id)]


def webhooks_that_wait(shop: Shop) -> int:
    return int(rows(shop.database, "SELECT count(*) AS n FROM unverified_webhooks")[0]["n"])


def test_a_saved_card_is_charged_by_an_order_that_was_made_before(shop: Shop) -> None:
    payment_id = shop.pay()
    assert shop.state(payment_id) is State.SUCCESS
    assert steps(shop, payment_id) == [("authenticate", "APPROVED"), ("process", "APPROVED")]
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]
    shop.hears(payment_id, COMPLETED)
    assert rows(shop.database, "SELECT status FROM gateway_events")[0]["status"] == "no_news"
    assert row_is_fold(shop.database, payment_id)


@pytest.mark.parametrize("token", ["tok_drop", "tok_500", "tok_garbage", "tok_drop_nocharge_once"])
def test_a_charge_in_doubt_is_settled_by_its_order_and_made_once(shop: Shop, token: str) -> None:
    payment_id = shop.pay(token)
    assert shop.state(payment_id) is State.PROCESSING
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]
    assert "IN_DOUBT" in story_of(shop.database, payment_id)


def test_a_payer_who_approves_and_never_comes_back_is_charged_because_paypal_tells(shop: Shop) -> None:
    payment_id = shop.pay_by_wallet()
    assert shop.state(payment_id) is State.REQUIRES_ACTION
    shop.approves(payment_id)
    assert [row[1:] for row in shop.booked(payment_id)] == [(0, 0)]
    shop.hears(payment_id, APPROVED)
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]
    assert action_kept(shop.database, payment_id) is None
    assert row_is_fold(shop.database, payment_id)


def test_a_payer_who_approves_is_charged_without_any_webhook(shop: Shop) -> None:
    payment_id = shop.pay_by_wallet(return_url="https://shop.test/back?order=7")
    shop.time_passes()
    assert shop.state(payment_id) is State.REQUIRES_ACTION
    action = action_kept(shop.database, payment_id)
    assert action is not None
    assert action["url"].startswith(f"{shop.emulator.url}/checkoutnow")
    shop.approves(payment_id)
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS


def test_an_approval_that_comes_after_the_payment_was_cancelled_moves_nothing(shop: Shop) -> None:
    payment_id = shop.pay_by_wallet()
    cancelled = ordering(shop.database, shop.gateway, payment_id, VOID)
    shop.time_passes()
    assert shop.state(payment_id) is State.CANCELLED
    assert entity(shop.database, cancelled.id)["status"] == "succeeded"
    story = story_of(shop.database, payment_id)
    (order_id,) = {call["gateway_ref"] for call in attempts_of(shop.database, payment_id)}
    approval = f"/checkoutnow/{order_id}/approve"
    assert shop.emulator.call("POST", approval).status == 302
    shop.hears(payment_id, APPROVED)
    shop.time_passes()
    assert (shop.state(payment_id), story_of(shop.database, payment_id)) == (State.CANCELLED, story)
    assert [row[1:] for row in shop.booked(payment_id)] == [(0, 0)]
    assert row_is_fold(shop.database, payment_id)


@pytest.mark.slow
def test_an_approval_that_paypal_reverses_fails_the_payment_with_nothing_moved(shop: Shop) -> None:
    payment_id = shop.pay_by_wallet(minor=REVERSED_SOON)
    shop.approves(payment_id)
    shop.hears(payment_id, REVERSED)
    assert shop.state(payment_id) is State.FAILURE
    error = payment_of(shop.database, payment_id).last_error
    assert error is not None
    assert error["code"] == "authentication_expired"
    assert [row[1:] for row in shop.booked(payment_id)] == [(0, 0)]
    assert row_is_fold(shop.database, payment_id)


def test_a_card_that_has_to_be_authenticated_is_charged_afterwards(shop: Shop) -> None:
    payment_id = shop.pay("tok_3ds_1")
    assert shop.state(payment_id) is State.REQUIRES_ACTION
    shop.hears(payment_id, APPROVED)
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]


@pytest.mark.slow
def test_a_capture_that_is_pending_is_settled_when_paypal_tells(shop: Shop) -> None:
    payment_id = shop.pay("tok_pending_1")
    assert shop.state(payment_id) is State.PROCESSING
    shop.hears(payment_id, COMPLETED)
    assert shop.state(payment_id) is State.SUCCESS
    failing = shop.pay("tok_pending_fail_1", "key-2")
    shop.hears(failing, "PAYMENT.CAPTURE.DENIED")
    assert shop.state(failing) is State.FAILURE
    assert shop.booked(failing)[0][1] == 0


def test_captures_of_parts_and_a_refund_of_each(shop: Shop) -> None:
    payment_id = shop.pay(capture_method="manual")
    assert shop.state(payment_id) is State.AUTHORIZED
    assert payment_of(shop.database, payment_id).capture_before is not None
    for minor, is_final, key in ((700, False, "c-1"), (300, True, "c-2")):
        ordering(shop.database, shop.gateway, payment_id, CAPTURE, minor, key, final=is_final)
        shop.works()
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 1000, 0)]
    for minor, key in ((700, "r-1"), (300, "r-2")):
        ordering(shop.database, shop.gateway, payment_id, REFUND, minor, key)
        shop.works()
    assert amounts(shop.database, payment_id)["refunded"] == 1000
    assert shop.booked(payment_id)[0][1:] == (1000, 1000)
    assert row_is_fold(shop.database, payment_id)


def test_a_refund_over_several_captures_is_refused_before_anything_is_sent(shop: Shop) -> None:
    payment_id = shop.pay(capture_method="manual")
    for minor, is_final, key in ((700, False, "c-1"), (300, True, "c-2")):
        ordering(shop.database, shop.gateway, payment_id, CAPTURE, minor, key, final=is_final)
        shop.works()
    refund = ordering(shop.database, shop.gateway, payment_id, REFUND, 1000)
    shop.works()
    assert entity(shop.database, refund.id)["status"] == "failed"
    assert shop.booked(payment_id)[0][1:] == (1000, 0)


@pytest.mark.parametrize("token", ["tok_drop_on_capture", "tok_500_on_capture", "tok_garbage_on_capture"])
def test_a_capture_in_doubt_is_made_once(shop: Shop, token: str) -> None:
    payment_id = shop.pay(token, capture_method="manual")
    ordering(shop.database, shop.gateway, payment_id, CAPTURE, 500, final=True)
    shop.works()
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 500, 0)]
    assert row_is_fold(shop.database, payment_id)


@pytest.mark.parametrize("token", ["tok_drop_on_void", "tok_500_on_void", "tok_drop_nocharge_once_on_void"])
def test_a_void_in_doubt_ends_in_one_state(shop: Shop, token: str) -> None:
    payment_id = shop.pay(token, capture_method="manual")
    void = ordering(shop.database, shop.gateway, payment_id, VOID)
    shop.works()
    shop.time_passes()
    shop.time_passes()
    assert shop.state(payment_id) is State.CANCELLED
    assert entity(shop.database, void.id)["status"] == "succeeded"
    assert [row[1:] for row in shop.booked(payment_id)] == [(0, 0)]
    assert shop.order(payment_id)["purchase_units"][0]["payments"]["authorizations"][0]["status"] == "VOIDED"
    assert row_is_fold(shop.database, payment_id)


def test_a_hold_is_renewed_by_the_capture_that_comes_after_four_days(
    database: Database, tmp_path: Path
) -> None:
    with telling_paypal(tmp_path) as (emulator, sink, root):
        shop = shop_at(database, emulator, sink, root)
        payment_id = shop.pay_by_wallet(capture_method="manual")
        shop.approves(payment_id)
        shop.time_passes()
        assert shop.state(payment_id) is State.AUTHORIZED
        emulator.post("/_sandbox/clock", {"advance_s": FOUR_DAYS_S})
        later = shop_at(database, emulator, sink, root, clock=lambda: time.time() + FOUR_DAYS_S)
        ordering(database, later.gateway, payment_id, CAPTURE, 1500, final=True)
        later.works()
        assert later.state(payment_id) is State.SUCCESS
        assert later.booked(payment_id) == [("succeeded", 1500, 0)]
        payments = later.order(payment_id)["purchase_units"][0]["payments"]
        assert len(payments["authorizations"]) == 2
        (capture,) = payments["captures"]
        assert capture["final_capture"] is True
        assert row_is_fold(database, payment_id)
        for one in (shop, later):
            one.gateway.close_connections()


def test_a_refund_that_is_pending_and_one_that_fails_late(shop: Shop) -> None:
    waiting, failing = shop.pay("tok_pending_1_on_refund"), shop.pay("tok_fails_late_1", "key-2")
    pending = ordering(shop.database, shop.gateway, waiting, REFUND, 500)
    late = ordering(shop.database, shop.gateway, failing, REFUND, 500)
    shop.works()
    assert entity(shop.database, pending.id)["status"] == "pending"
    assert entity(shop.database, late.id)["status"] == "succeeded"
    shop.hears(waiting, "PAYMENT.CAPTURE.REFUNDED")
    shop.hears(failing, "PAYMENT.REFUND.FAILED")
    assert entity(shop.database, pending.id)["status"] == "succeeded"
    assert entity(shop.database, late.id)["status"] == "failed"
    for payment_id in (waiting, failing):
        assert row_is_fold(shop.database, payment_id)


def test_a_capture_that_fails_after_its_success_is_told_as_failed(shop: Shop) -> None:
    payment_id = shop.pay("tok_fails_late_1_on_capture", capture_method="manual")
    capture = ordering(shop.database, shop.gateway, payment_id, CAPTURE, 1999)
    shop.works()
    assert entity(shop.database, capture.id)["status"] == "succeeded"
    shop.hears(payment_id, "PAYMENT.CAPTURE.DENIED")
    assert entity(shop.database, capture.id)["status"] == "failed"
    assert shop.state(payment_id) is State.SUCCESS
    assert "captured" not in amounts(shop.database, payment_id)
    assert row_is_fold(shop.database, payment_id)


def test_what_paypal_takes_back_by_itself_is_a_refund_that_nobody_asked_for(shop: Shop) -> None:
    payment_id = shop.pay("tok_capture_reversed_1")
    assert shop.state(payment_id) is State.SUCCESS
    shop.hears(payment_id, "PAYMENT.CAPTURE.REVERSED")
    (refund,) = rows(shop.database, "SELECT origin, status, amount_minor FROM refunds")
    assert refund == {"origin": "gateway", "status": "succeeded", "amount_minor": 1999}
    assert shop.booked(payment_id)[0][2] == 1999
    assert row_is_fold(shop.database, payment_id)


def test_a_hold_that_ends_at_paypal_cancels_the_payment(shop: Shop) -> None:
    payment_id = shop.pay("tok_hold_1", capture_method="manual")
    assert shop.state(payment_id) is State.AUTHORIZED
    shop.hears(payment_id, "PAYMENT.AUTHORIZATION.VOIDED")
    assert shop.state(payment_id) is State.CANCELLED
    error = payment_of(shop.database, payment_id).last_error
    assert error is not None
    assert error["code"] == "authorization_expired"
    assert row_is_fold(shop.database, payment_id)


def test_an_access_token_that_paypal_takes_no_more_is_fetched_anew(shop: Shop) -> None:
    shop.pay()
    shop.emulator.post("/_sandbox/tokens", {"revoke": True})
    payment_id = shop.pay(key="key-2")
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]


def test_a_dispute_is_asked_about_by_the_capture_that_it_names(shop: Shop) -> None:
    payment_id = shop.pay("tok_dispute", capture_method="manual")
    ordering(shop.database, shop.gateway, payment_id, CAPTURE, 1999)
    shop.works()
    body = shop.told(payment_id, "CUSTOMER.DISPUTE.CREATED").body
    named = body.replace(f"{payment_id}-a1".encode(), f"{payment_id}c101".encode())
    shop.receives(shop.signs(named), named)
    shop.follows()
    (dispute,) = rows(shop.database, "SELECT payment_id, status, amount_minor FROM disputes")
    assert dispute == {"payment_id": payment_id, "status": "needs_response", "amount_minor": 1999}


def test_a_webhook_counts_for_nothing_before_a_worker_has_verified_it(shop: Shop) -> None:
    payment_id = shop.pay_by_wallet()
    shop.approves(payment_id)
    told = shop.told(payment_id, APPROVED)
    shop.receives(told.headers, told.body)
    shop.receives(told.headers, told.body)
    assert (webhooks_that_wait(shop), rows(shop.database, "SELECT * FROM gateway_events")) == (2, [])
    assert payment_id not in str(rows(shop.database, "SELECT sealed FROM unverified_webhooks"))
    assert shop.follows() == {"genuine": 2}
    assert (webhooks_that_wait(shop), len(rows(shop.database, "SELECT * FROM gateway_events"))) == (0, 1)


def test_forged_webhooks_are_forgotten(shop: Shop) -> None:
    payment_id = shop.pay_by_wallet()
    shop.approves(payment_id)
    body = shop.told(payment_id, APPROVED).body
    forged = body.replace(b"19.99", b"99.99")
    shop.receives(shop.signs(body), forged)
    shop.receives(shop.signs(body, "WEBHOOKOFANOTHERACCOUNT"), body)
    shop.receives(shop.signs(body, stranger="1"), body)
    missing = {**shop.signs(body), "PAYPAL-CERT-URL": f"{shop.emulator.url}/v1/notifications/certs/CERT-none"}
    shop.receives(missing, body)
    assert shop.follows() == {"forged": 4}
    assert (webhooks_that_wait(shop), rows(shop.database, "SELECT * FROM gateway_events")) == (0, [])
    assert shop.state(payment_id) is State.REQUIRES_ACTION


def test_an_event_of_another_account_is_foreign(
    database: Database, paypal: tuple[Sandbox, Sink, Path]
) -> None:
    shop = shop_at(database, *paypal)
    payment_id = shop.pay()
    other = shop_at(database, *paypal, account="ANOTHERACCNT2")
    other.hears(payment_id, COMPLETED)
    assert rows(database, "SELECT status FROM gateway_events") == [{"status": "foreign"}]
    for one in (shop, other):
        one.gateway.close_connections()


def test_a_flood_of_webhooks_is_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unverified, "MOST_WAITING", 3)
    body = json.dumps({"id": "WH-1"}).encode()
    headers = shop.signs(body)
    for _ in range(3):
        shop.receives(headers, body)
    with pytest.raises(TooBusy):
        shop.receives(headers, body)
    with pytest.raises(InvalidWebhook):
        shop.receives(headers, b" " * (unverified.LARGEST_BODY + 1))
    assert webhooks_that_wait(shop) == 3


def test_while_no_certificate_is_to_be_had_webhooks_wait_and_payments_go_on(shop: Shop) -> None:
    payment_id = shop.pay_by_wallet()
    shop.approves(payment_id)
    told = shop.told(payment_id, APPROVED)
    shop.receives(told.headers, told.body)
    away = PayPalAdapter(replace(shop.gateway.config, proxy=f"http://127.0.0.1:{free_port()}"))
    assert replace(shop, gateway=LoadedGateway(away)).follows() == {"unverified": 1}
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    assert webhooks_that_wait(shop) == 1
    later = "UPDATE unverified_webhooks SET due_at = now(), received_at = received_at - interval '11 minutes'"
    shop.database.run(lambda connection: connection.exec_driver_sql(later))
    with shop.database.read() as connection:
        (check,) = unverified_for_long(connection)
    assert check.verdict == "warn"
    assert check.seen.startswith("1 of paypal are not verified, the oldest for 11 min")
    assert eventually(lambda: shop.follows() == {"genuine": 1})
