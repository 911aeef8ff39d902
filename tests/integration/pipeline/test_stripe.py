"""Payments through the pipeline to Stripe's emulator: whatever is lost on the way, one charge, and a story that is true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, ordering, payment_now, row_is_fold
from support.payers import payer_clicks
from support.payments import (
    POLICY,
    accept_one,
    action_kept,
    attempts_of,
    last_error_of,
    let_pass,
    payment_of,
    pipeline,
    story_of,
)
from support.sandbox_process import Sandbox, eventually
from support.stripe_process import STRIPE_KEY, running_stripe, sdk

from aegis_worker.domain.money import Money
from aegis_worker.domain.transitions import State
from aegis_worker.errors import AmountStep
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.stripe.adapter import StripeAdapter
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import open_checks
from aegis_worker.pipeline.run import run


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_stripe(tmp_path_factory.mktemp("stripe")) as running:
        yield running


@pytest.fixture
def emulator(shared_emulator: Sandbox) -> Iterator[Sandbox]:
    """Healed afterwards."""
    yield shared_emulator
    shared_emulator.set_faults()


@pytest.fixture
def gateway(emulator: Sandbox) -> Iterator[LoadedGateway]:
    gateway = stripe_at(emulator.url)
    yield gateway
    gateway.close_connections()


def stripe_at(url: str) -> LoadedGateway:
    options = {"publishable_key": "pk_test_shop", "multicapture": True}
    config = GatewayConfig("stripe", "stripe", url, STRIPE_KEY, timeout_s=20.0, options=options)
    return LoadedGateway(StripeAdapter(config))


def pay(database: Database, token: str = "pm_card_visa", **terms: Any) -> str:
    method = {"type": "card", "token": token, "gateway": "stripe"}
    return accept_one(database, payment_method=method, **terms).payment.id


def asked(database: Database, gateway: LoadedGateway) -> None:
    """Time passes, and the gateway is asked."""
    let_pass(database, 10)
    run(pipeline(database, gateway), "verify")


def booked(emulator: Sandbox, payment_id: str) -> list[tuple[str, int]]:
    return [
        (row["status"], row["captured"])
        for row in emulator.ledger()
        if row["merchant_payment_id"] == payment_id and row["status"] != "created"
    ]


def test_an_intent_is_created_and_then_confirmed_each_with_an_attempt_of_its_own(
    database: Database, emulator: Sandbox, gateway: LoadedGateway
) -> None:
    payment_id = pay(database)
    run(pipeline(database, gateway), "payments")
    payment = payment_of(database, payment_id)
    assert payment.state is State.SUCCESS
    calls = attempts_of(database, payment_id)
    assert [(call["operation"], call["status"]) for call in calls] == [
        ("initiate", "APPROVED"),
        ("process", "APPROVED"),
    ]
    assert {call["gateway_ref"] for call in calls} == {payment.gateway_ref}
    assert booked(emulator, payment_id) == [("succeeded", 1999)]


def test_a_creation_whose_answer_was_lost_is_repeated_under_its_key(
    database: Database, emulator: Sandbox, gateway: LoadedGateway
) -> None:
    payment_id = pay(database, "pm_drop_on_create")
    run(pipeline(database, gateway), "payments")
    assert payment_of(database, payment_id).state is State.INITIATED
    asked(database, gateway)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert attempts_of(database, payment_id)[0]["sends"] == 2
    assert len([row for row in emulator.ledger() if row["merchant_payment_id"] == payment_id]) == 1


@pytest.mark.parametrize("token", ["pm_drop", "pm_500", "pm_garbage"])
def test_a_confirmation_whose_answer_is_of_no_use_is_settled_by_asking_for_the_intent(
    database: Database, emulator: Sandbox, gateway: LoadedGateway, token: str
) -> None:
    payment_id = pay(database, token)
    run(pipeline(database, gateway), "payments")
    assert payment_of(database, payment_id).state is State.PROCESSING
    asked(database, gateway)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert attempts_of(database, payment_id)[-1]["sends"] == 1
    assert booked(emulator, payment_id) == [("succeeded", 1999)]
    assert "IN_DOUBT" in story_of(database, payment_id)


def test_a_confirmation_that_never_arrived_is_sent_again_under_its_key(
    database: Database, emulator: Sandbox, gateway: LoadedGateway
) -> None:
    payment_id = pay(database, "pm_drop_nocharge_once")
    run(pipeline(database, gateway), "payments")
    asked(database, gateway)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert attempts_of(database, payment_id)[-1]["sends"] == 2
    assert booked(emulator, payment_id) == [("succeeded", 1999)]


def test_a_decline_of_the_issuer_ends_the_payment(database: Database, gateway: LoadedGateway) -> None:
    payment_id = pay(database, "pm_card_chargeDeclinedInsufficientFunds")
    run(pipeline(database, gateway), "payments")
    payment = payment_of(database, payment_id)
    assert payment.state is State.FAILURE
    assert last_error_of(payment)["code"] == "insufficient_funds"


@pytest.mark.parametrize(("button", "state"), [("pass", State.SUCCESS), ("fail", State.FAILURE)])
def test_the_payer_acts_in_the_shops_page_and_the_secret_is_gone_afterwards(
    database: Database, emulator: Sandbox, gateway: LoadedGateway, button: str, state: State
) -> None:
    payment_id = pay(database, "pm_card_authenticationRequired")
    run(pipeline(database, gateway), "payments")
    assert payment_of(database, payment_id).state is State.REQUIRES_ACTION
    action = action_kept(database, payment_id)
    assert action is not None
    assert (action["type"], action["data"]["publishable_key"]) == ("sdk", "pk_test_shop")
    intent_id = action["data"]["client_secret"].partition("_secret_")[0]
    payer_clicks(f"{emulator.url}/3ds/{intent_id}", button)
    asked(database, gateway)
    assert payment_of(database, payment_id).state is state
    assert action_kept(database, payment_id) is None


def test_an_amount_between_stripes_steps_never_leaves(database: Database, gateway: LoadedGateway) -> None:
    payment_id = pay(database, amount=Money(12345, "BHD"))
    run(pipeline(database, gateway), "payments")
    assert last_error_of(payment_of(database, payment_id))["code"] == "no_eligible_gateway"
    assert attempts_of(database, payment_id) == []


def carried_out(database: Database, gateway: LoadedGateway) -> None:
    """Whatever is ordered, or to be asked about, is done."""
    for _ in range(3):
        run(pipeline(database, gateway), "payments")
        asked(database, gateway)


def test_a_hold_three_captures_and_three_refunds_have_the_same_sums_here_and_there(
    database: Database, emulator: Sandbox, gateway: LoadedGateway
) -> None:
    payment_id = pay(database, capture_method="manual")
    carried_out(database, gateway)
    assert payment_of(database, payment_id).state is State.AUTHORIZED
    for number, minor in enumerate((500, 700, 300)):
        ordered = ordering(database, gateway, payment_id, CAPTURE, minor, f"c-{number}", final=number == 2)
        carried_out(database, gateway)
        assert entity(database, ordered.id)["status"] == "succeeded"
    assert booked(emulator, payment_id) == [("succeeded", 1500)]
    for number, minor in enumerate((100, 200, 400)):
        ordered = ordering(database, gateway, payment_id, REFUND, minor, f"r-{number}")
        carried_out(database, gateway)
        assert entity(database, ordered.id)["status"] == "succeeded"
    sums = {"authorized": 1999, "captured": 1500, "refunded": 700, "refundable": 800}
    assert amounts(database, payment_id) == sums
    intent = sdk(emulator.url).v1.payment_intents.retrieve(
        str(payment_now(database, payment_id).gateway_ref), {"expand": ["latest_charge"]}
    )
    charge: Any = intent.latest_charge
    assert (intent.amount_received, charge.amount_refunded) == (1500, 700)
    assert row_is_fold(database, payment_id)


@pytest.mark.parametrize("kind", [CAPTURE, REFUND])
def test_a_capture_or_refund_whose_answer_was_lost_is_found_by_its_key(
    database: Database, emulator: Sandbox, gateway: LoadedGateway, kind: Any
) -> None:
    method = "manual" if kind is CAPTURE else "automatic"
    payment_id = pay(database, f"pm_drop_on_{kind.value}", capture_method=method)
    carried_out(database, gateway)
    ordered = ordering(database, gateway, payment_id, kind, 500)
    carried_out(database, gateway)
    assert entity(database, ordered.id)["status"] == "succeeded"
    (row,) = (row for row in emulator.ledger() if row["merchant_payment_id"] == payment_id)
    assert (row["captured"], row["refunded"]) == ((500, 0) if kind is CAPTURE else (1999, 500))
    assert row_is_fold(database, payment_id)


@pytest.mark.parametrize("token", ["pm_card_visa", "pm_drop_on_void"])
def test_a_hold_that_is_cancelled_is_released_at_stripe_also_when_the_answer_was_lost(
    database: Database, emulator: Sandbox, gateway: LoadedGateway, token: str
) -> None:
    payment_id = pay(database, token, capture_method="manual")
    carried_out(database, gateway)
    cancel = ordering(database, gateway, payment_id, VOID)
    carried_out(database, gateway)
    assert entity(database, cancel.id)["status"] == "succeeded"
    assert payment_now(database, payment_id).state is State.CANCELLED
    assert booked(emulator, payment_id) == [("voided", 0)]
    assert row_is_fold(database, payment_id)


def test_what_was_captured_stays_when_the_rest_is_cancelled(
    database: Database, emulator: Sandbox, gateway: LoadedGateway
) -> None:
    payment_id = pay(database, capture_method="manual")
    carried_out(database, gateway)
    ordering(database, gateway, payment_id, CAPTURE, 500, "c-1", final=False)
    carried_out(database, gateway)
    ordering(database, gateway, payment_id, VOID, key="v-1")
    carried_out(database, gateway)
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert booked(emulator, payment_id) == [("succeeded", 500)]
    assert row_is_fold(database, payment_id)


@pytest.mark.slow
def test_a_pending_refund_is_asked_for_by_its_own_id_until_it_has_ended(
    database: Database, emulator: Sandbox, gateway: LoadedGateway
) -> None:
    payment_id = pay(database, "pm_card_pendingRefund")
    carried_out(database, gateway)
    ordered = ordering(database, gateway, payment_id, REFUND, 500)
    run(pipeline(database, gateway), "payments")
    assert entity(database, ordered.id)["status"] == "pending"
    assert amounts(database, payment_id)["refunding"] == 500

    refund_id = attempts_of(database, payment_id)[-1]["gateway_ref"]
    at_stripe = sdk(emulator.url).v1.refunds
    assert eventually(lambda: at_stripe.retrieve(refund_id).status == "succeeded")
    database.run(lambda connection: connection.exec_driver_sql("UPDATE refunds SET check_at = now()"))
    database.run(lambda connection: open_checks(connection, limit=10))
    asked(database, gateway)
    assert entity(database, ordered.id)["status"] == "succeeded"
    assert amounts(database, payment_id)["refunded"] == 500


def test_an_order_between_stripes_steps_is_refused_before_anything_is_sent(
    database: Database, gateway: LoadedGateway
) -> None:
    payment_id = pay(database, amount=Money(12340, "BHD"))
    carried_out(database, gateway)
    with pytest.raises(AmountStep):
        ordering(database, gateway, payment_id, REFUND, 1235)


def test_a_payer_who_never_came_back_can_not_pay_the_intent_any_more(
    database: Database, emulator: Sandbox, gateway: LoadedGateway
) -> None:
    parts = pipeline(database, gateway, policy=replace(POLICY, payer_wait_s=0.0))
    payment_id = pay(database, "pm_card_threeDSecure2Required")
    run(parts, "payments")
    run(parts, "verify")
    assert last_error_of(payment_of(database, payment_id))["code"] == "payer_abandoned"
    assert attempts_of(database, payment_id)[-1]["operation"] == "close"
    assert booked(emulator, payment_id) == [("voided", 0)]


def test_after_a_failed_check_the_payer_can_not_try_another_card_behind_our_back(
    database: Database, emulator: Sandbox, gateway: LoadedGateway
) -> None:
    payment_id = pay(database, "pm_3ds_fail_1", return_url="https://shop.example/back")
    run(pipeline(database, gateway), "payments")
    assert eventually(lambda: ("failed", 0) in booked(emulator, payment_id))
    asked(database, gateway)
    assert last_error_of(payment_of(database, payment_id))["code"] == "authentication_failed"
    assert booked(emulator, payment_id) == [("voided", 0)]


def test_the_charge_says_until_when_funds_are_held(database: Database, gateway: LoadedGateway) -> None:
    payment_id = pay(database, capture_method="manual")
    run(pipeline(database, gateway), "payments")
    payment = payment_of(database, payment_id)
    assert payment.capture_before is not None
    left = datetime.fromisoformat(payment.capture_before) - datetime.now(UTC)
    assert timedelta(days=6) < left <= timedelta(days=7)
