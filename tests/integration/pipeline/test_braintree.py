"""Payments through the pipeline to Braintree's emulator: charges that are never made twice, and refunds that wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.braintree_process import simulated
from support.braintree_shop import Shop, shop_at, telling_braintree
from support.merchant_server import Sink
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, ordering, row_is_fold
from support.payments import attempts_of, job_of, last_error_of, payment_of, story_of
from support.sandbox_process import Sandbox

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.transitions import State
from aegis_worker.persistence.asking import sync_now
from aegis_worker.persistence.database import Database


@pytest.fixture(scope="module")
def braintree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Sink]]:
    with telling_braintree(tmp_path_factory.mktemp("braintree")) as running:
        yield running


@pytest.fixture
def shop(database: Database, braintree: tuple[Sandbox, Sink]) -> Iterator[Shop]:
    made = shop_at(database, *braintree)
    yield made
    made.gateway.close_connections()
    made.emulator.set_faults()


def nothing_is_new(shop: Shop, payment_id: str) -> bool:
    """Whether a look at the gateway changes nothing of the payment."""
    story = story_of(shop.database, payment_id)
    shop.database.run(lambda connection: sync_now(connection, payment_id))
    shop.works()
    return story_of(shop.database, payment_id) == story


def ordered(
    shop: Shop, payment_id: str, operation: EntityKind, minor: int | None = None, key: str = "order-1"
) -> str:
    order = ordering(shop.database, shop.gateway, payment_id, operation, minor, key)
    shop.works()
    return order.id


@pytest.mark.parametrize("token", ["tok_drop", "tok_500", "tok_garbage"])
def test_a_charge_whose_answer_was_lost_is_found_and_made_once(shop: Shop, token: str) -> None:
    payment_id = shop.pay(token)
    assert shop.state(payment_id) is State.PROCESSING
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]
    assert "IN_DOUBT" in story_of(shop.database, payment_id)
    assert row_is_fold(shop.database, payment_id)


def test_a_nonce_whose_charge_is_not_found_is_charged_by_one_more_call(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_nocharge_once")
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    assert [call["sends"] for call in attempts_of(shop.database, payment_id)] == [2]
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]
    assert row_is_fold(shop.database, payment_id)


def test_a_saved_card_whose_charge_is_not_found_is_a_persons_and_not_charged_again(shop: Shop) -> None:
    payment_id = shop.pay("shopper_7/tok_drop_nocharge_once")
    for _ in range(6):
        shop.time_passes(600)
    assert job_of(shop.database, payment_id)["status"] == "review"
    assert [call["sends"] for call in attempts_of(shop.database, payment_id)] == [1]
    assert [row[1:] for row in shop.booked(payment_id) if row[1]] == []


def test_with_keys_of_requests_such_a_charge_is_sent_again(
    database: Database, braintree: tuple[Sandbox, Sink]
) -> None:
    shop = shop_at(database, *braintree, request_keys=True)
    payment_id = shop.pay("shopper_7/tok_drop_nocharge_once")
    shop.time_passes()
    assert shop.state(payment_id) is State.SUCCESS
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]
    shop.gateway.close_connections()


def test_a_decline(shop: Shop) -> None:
    payment_id = shop.pay("tok_rejected_avs_and_cvv")
    assert shop.state(payment_id) is State.FAILURE
    assert last_error_of(payment_of(shop.database, payment_id))["code"] == "invalid_cvc"
    assert row_is_fold(shop.database, payment_id)


def test_all_of_a_charge_is_given_back_by_a_void_before_it_is_settled(shop: Shop) -> None:
    payment_id = shop.pay()
    refund = ordered(shop, payment_id, REFUND)
    assert entity(shop.database, refund)["status"] == "succeeded"
    assert shop.shown(payment_id).status == "voided"
    assert shop.booked(payment_id) == [("succeeded", 1999, 1999)]
    assert amounts(shop.database, payment_id) == {"authorized": 1999, "captured": 1999, "refunded": 1999}
    assert row_is_fold(shop.database, payment_id)
    assert nothing_is_new(shop, payment_id)


def test_a_part_waits_until_braintree_tells_that_it_is_settled(shop: Shop) -> None:
    payment_id = shop.pay()
    refund = ordered(shop, payment_id, REFUND, 500)
    assert entity(shop.database, refund)["status"] == "waiting"
    assert shop.booked(payment_id) == [("succeeded", 1999, 0)]
    shop.settles(payment_id)
    shop.hears(payment_id, "transaction_settled")
    assert entity(shop.database, refund)["status"] == "succeeded"
    assert shop.booked(payment_id) == [("succeeded", 1999, 500)]
    assert row_is_fold(shop.database, payment_id)
    assert nothing_is_new(shop, payment_id)


@pytest.mark.parametrize("came_to_nothing", ["voided", "not settled"])
def test_a_part_waits_no_more_once_its_charge_is_given_back_or_refused_by_the_processor(
    shop: Shop, came_to_nothing: str
) -> None:
    payment_id = shop.pay()
    refund = ordered(shop, payment_id, REFUND, 500)
    ref = shop.shown(payment_id).id
    if came_to_nothing == "voided":
        assert shop.sdk.transaction.void(ref).is_success
    else:
        assert simulated(shop.sdk).settlement_decline_transaction(ref).is_success
    shop.looks_again()
    assert entity(shop.database, refund)["status"] == "failed"
    assert job_of(shop.database, payment_id)["status"] == "failed"
    assert sum(given_back for *_, given_back in shop.booked(payment_id)) in (0, 1999)
    assert row_is_fold(shop.database, payment_id)


def test_a_void_that_gave_all_back_and_whose_answer_was_lost_is_found(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_on_void")
    refund = ordered(shop, payment_id, REFUND)
    assert entity(shop.database, refund)["status"] == "pending"
    shop.time_passes()
    assert entity(shop.database, refund)["status"] == "succeeded"
    assert shop.booked(payment_id) == [("succeeded", 1999, 1999)]
    assert row_is_fold(shop.database, payment_id)


def test_a_hold_is_captured_in_part_and_known_by_its_key(shop: Shop) -> None:
    payment_id = shop.pay(capture_method="manual")
    assert shop.state(payment_id) is State.AUTHORIZED
    capture = ordered(shop, payment_id, CAPTURE, 500)
    assert (entity(shop.database, capture)["status"], shop.state(payment_id)) == ("succeeded", State.SUCCESS)
    assert shop.shown(payment_id).order_id == f"{payment_id}c101"
    assert shop.booked(payment_id) == [("succeeded", 500, 0)]
    assert row_is_fold(shop.database, payment_id)
    assert nothing_is_new(shop, payment_id)


def test_a_capture_whose_answer_was_lost_is_made_once(shop: Shop) -> None:
    payment_id = shop.pay("tok_drop_on_capture", capture_method="manual")
    capture = ordered(shop, payment_id, CAPTURE, 500)
    shop.time_passes()
    assert entity(shop.database, capture)["status"] == "succeeded"
    assert shop.booked(payment_id) == [("succeeded", 500, 0)]
    assert row_is_fold(shop.database, payment_id)


def test_what_was_captured_in_the_control_panel_is_not_given_back_by_a_cancel(shop: Shop) -> None:
    payment_id = shop.pay(capture_method="manual")
    ref = shop.shown(payment_id).id
    assert shop.sdk.transaction.submit_for_settlement(ref, "5.00").is_success
    void = ordered(shop, payment_id, VOID)
    assert entity(shop.database, void)["status"] == "failed"
    assert shop.booked(payment_id) == [("succeeded", 500, 0)]


def test_a_refund_in_the_control_panel_is_noticed(shop: Shop) -> None:
    payment_id = shop.pay()
    shop.settles(payment_id)
    refund = shop.sdk.transaction.refund(shop.shown(payment_id).id, "7.00")
    assert refund.is_success
    simulated(shop.sdk).settle_transaction(refund.transaction.id)
    shop.hears(payment_id, "transaction_settled", refund.transaction.id)
    assert amounts(shop.database, payment_id)["refunded"] == 700
    assert shop.booked(payment_id) == [("succeeded", 1999, 700)]
    assert row_is_fold(shop.database, payment_id)
