"""The door behind a payment: what a payer could still pay is cancelled before the payment ends or goes elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.orders import payment_now, row_is_fold
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    job_of,
    last_error_of,
    let_pass,
    make_due,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Unknown,
)
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run

AWAY = ActionRequired("ch_1", Redirect("https://bank.example/3ds"))
OVER = replace(AWAY, expires_at=datetime.now(UTC) - timedelta(seconds=1))


@pytest.fixture
def gateway() -> ScriptedGateway:
    """Its payer was sent away, and the time for it is over."""
    gateway = ScriptedGateway("a", answering(OVER))
    gateway.look_up = charge_says(gateway, OVER)
    return gateway


def charge_says(gateway: ScriptedGateway, *answers: Lookup) -> Callable[[StatusQuery], Lookup]:
    """Look-ups of the charge say one after another of these; those of the closing, what was done."""
    of_the_charge = answering(*answers)

    def look_up(query: StatusQuery) -> Lookup:
        is_close = query.operation is Operation.CLOSE
        return gateway.by_ledger(query) if is_close else of_the_charge(query)

    return look_up


def sent_away(database: Database, parts: PipelineParts, **changes: str) -> str:
    payment_id = accept_one(database, **changes).payment.id
    run(parts, "payments")
    assert payment_now(database, payment_id).state is State.REQUIRES_ACTION
    return payment_id


def look_again(database: Database, parts: PipelineParts) -> None:
    make_due(database)
    run_until_quiet(parts)


def attempts(database: Database, payment_id: str) -> dict[str, str]:
    return {row["operation"]: row["status"] for row in attempts_of(database, payment_id)}


def ended_as(database: Database, payment_id: str) -> tuple[State, str | None]:
    """The payment's end, its books in order."""
    assert row_is_fold(database, payment_id)
    assert rows(database, "SELECT 1 FROM jobs WHERE finished_at IS NULL") == []
    payment = payment_now(database, payment_id)
    return payment.state, (payment.last_error or {}).get("code")


def test_a_payer_who_never_came_back_can_pay_no_more_and_the_payment_fails(
    database: Database, gateway: ScriptedGateway
) -> None:
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts)
    look_again(database, parts)
    assert ended_as(database, payment_id) == (State.FAILURE, "payer_abandoned")
    assert attempts(database, payment_id) == {"process": "DECLINED", "close": "APPROVED"}
    assert gateway.closed == {f"{payment_id}-z1": "ch_1"}
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "ACTION_REQUIRED", "FAILED"]


def test_until_the_payers_time_is_over_the_gateway_is_only_asked(
    database: Database, gateway: ScriptedGateway
) -> None:
    parts = pipeline(database, gateway)
    gateway._script = answering(AWAY)
    gateway.look_up = answering(AWAY)
    payment_id = sent_away(database, parts)
    for _ in range(2 * len(POLICY.verify_ladder_s)):
        look_again(database, parts)
    assert payment_now(database, payment_id).state is State.REQUIRES_ACTION
    assert 0 < job_of(database, payment_id)["put_off_s"] <= POLICY.verify_ladder_s[-1]
    assert gateway.closed == {}


def test_without_an_end_of_the_gateways_own_a_payer_has_as_long_as_the_setting_says(
    database: Database, gateway: ScriptedGateway
) -> None:
    parts = pipeline(database, gateway, policy=dataclasses.replace(POLICY, payer_wait_s=0.0))
    gateway._script = answering(AWAY)
    gateway.look_up = charge_says(gateway, AWAY)
    payment_id = sent_away(database, parts)
    look_again(database, parts)
    assert ended_as(database, payment_id) == (State.FAILURE, "payer_abandoned")


@pytest.mark.parametrize(
    ("capture_method", "state"), [("automatic", State.SUCCESS), ("manual", State.AUTHORIZED)]
)
def test_what_was_paid_in_the_last_moment_is_the_payments_success(
    database: Database, gateway: ScriptedGateway, capture_method: str, state: State
) -> None:
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts, capture_method=capture_method)
    paid = Approved("ch_1", captured=capture_method == "automatic")
    gateway.closing = lambda request: Declined("invalid_request", "already_paid")
    gateway.look_up = charge_says(gateway, OVER, paid)
    look_again(database, parts)
    assert ended_as(database, payment_id)[0] is state
    assert attempts(database, payment_id) == {"process": "APPROVED", "close": "DECLINED"}


def test_what_is_paid_before_the_closing_is_never_closed(
    database: Database, gateway: ScriptedGateway
) -> None:
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts)
    gateway.look_up = answering(Approved("ch_1"))
    look_again(database, parts)
    assert ended_as(database, payment_id)[0] is State.SUCCESS
    assert gateway.closed == {}


@pytest.mark.parametrize("happened", [True, False])
def test_while_it_is_not_known_whether_the_door_is_closed_the_payment_does_not_fail(
    database: Database, gateway: ScriptedGateway, happened: bool
) -> None:
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts)

    def and_say_nothing(request: GatewayRequest) -> Outcome:
        if happened:
            gateway.closed_once(request)
        return Unknown("read timeout")

    gateway.closing = and_say_nothing
    look_again(database, parts)
    assert payment_now(database, payment_id).state is State.REQUIRES_ACTION
    assert attempts(database, payment_id) == {"process": "ACTION_REQUIRED", "close": "UNKNOWN"}
    gateway.closing = gateway.closed_once
    look_again(database, parts)
    assert ended_as(database, payment_id) == (State.FAILURE, "payer_abandoned")
    assert list(gateway.closed) == [f"{payment_id}-z1"]


def test_a_closing_that_was_not_sent_is_sent_later_under_its_key(
    database: Database, gateway: ScriptedGateway
) -> None:
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts)
    gateway.closing = answering(NotSent("connection refused"))
    look_again(database, parts)
    assert attempts(database, payment_id)["close"] == "NOT_SENT"
    gateway.closing = gateway.closed_once
    look_again(database, parts)
    assert ended_as(database, payment_id) == (State.FAILURE, "payer_abandoned")


def test_what_the_gateway_neither_cancels_nor_ends_goes_to_a_person(
    database: Database, gateway: ScriptedGateway
) -> None:
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts)
    gateway.closing = lambda request: Declined("invalid_request", "not_now")
    look_again(database, parts)
    assert payment_now(database, payment_id).state is State.REQUIRES_ACTION
    job = job_of(database, payment_id)
    assert job["status"] == "review"
    assert "not_now" in job["reason"]


def test_where_nothing_can_be_cancelled_the_payment_fails_by_itself(
    database: Database, gateway: ScriptedGateway
) -> None:
    gateway.able(closes=False)
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts)
    look_again(database, parts)
    assert ended_as(database, payment_id) == (State.FAILURE, "payer_abandoned")
    assert attempts(database, payment_id) == {"process": "DECLINED"}


def test_a_gateway_that_can_not_be_asked_is_told_to_cancel_all_the_same(
    database: Database, gateway: ScriptedGateway
) -> None:
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts)
    gateway.look_up = charge_says(gateway, Unknown("look-ups are down"))
    look_again(database, parts)
    assert ended_as(database, payment_id) == (State.FAILURE, "payer_abandoned")


def test_after_a_decline_where_the_payer_could_try_another_card_the_door_is_closed(
    database: Database, gateway: ScriptedGateway
) -> None:
    gateway.able(reopens=True)
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts)
    gateway.look_up = charge_says(gateway, Pending("ch_1"), Declined("authentication_failed", "3ds"))
    look_again(database, parts)
    look_again(database, parts)
    assert ended_as(database, payment_id) == (State.FAILURE, "authentication_failed")
    assert list(gateway.closed) == [f"{payment_id}-z1"]


def test_a_decline_before_anybody_was_sent_away_needs_no_closing(database: Database) -> None:
    a, b = ScriptedGateway("a", answering(Declined("issuer_unavailable", "91"))), ScriptedGateway("b")
    a.able(reopens=True)
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, a, b))
    assert ended_as(database, payment_id)[0] is State.SUCCESS
    assert a.closed == {}


def test_before_a_payment_goes_elsewhere_what_a_lost_call_could_charge_is_closed(database: Database) -> None:
    two_steps = (Operation.INITIATE, Operation.PROCESS)
    a = ScriptedGateway("a", answering(Unknown("reset")), steps=two_steps, key_lifetime_s=0.0)
    b = ScriptedGateway("b")
    a.look_up = charge_says(a, NotFound())
    a.able(key_lifetime_s=1.0)
    parts = pipeline(database, a, b)
    payment_id = accept_one(database).payment.id
    for _ in range(4):
        run_until_quiet(parts)
        let_pass(database, 300)
    run_until_quiet(parts)
    assert ended_as(database, payment_id)[0] is State.SUCCESS
    assert list(a.closed) == [f"{payment_id}-z1"]
    assert payment_now(database, payment_id).gateway == "b"
    order = [(row["operation"], row["gateway"]) for row in attempts_of(database, payment_id)]
    assert order == [("initiate", "a"), ("process", "a"), ("close", "a"), ("process", "b")]


def test_a_lost_call_that_arrives_while_the_door_is_closed_is_the_payments_success(
    database: Database,
) -> None:
    two_steps = (Operation.INITIATE, Operation.PROCESS)
    a = ScriptedGateway("a", answering(Unknown("reset")), steps=two_steps, key_lifetime_s=1.0)
    b = ScriptedGateway("b")
    a.look_up = charge_says(a, NotFound(), NotFound(), NotFound(), Approved("ch_late"))
    a.closing = lambda request: Declined("invalid_request", "already_paid")
    parts = pipeline(database, a, b)
    payment_id = accept_one(database).payment.id
    for _ in range(4):
        run_until_quiet(parts)
        let_pass(database, 300)
    assert ended_as(database, payment_id)[0] is State.SUCCESS
    assert payment_now(database, payment_id).gateway == "a"
    assert b.calls == []


def test_a_payment_that_an_older_version_sent_away_ends_as_well(
    database: Database, gateway: ScriptedGateway
) -> None:
    parts = pipeline(database, gateway)
    payment_id = sent_away(database, parts)
    statements = (
        "ALTER TABLE payment_events DISABLE TRIGGER ALL",
        """UPDATE payment_events SET data = jsonb_set(data, '{next_action,expires_at}', 'null')
        WHERE type = 'PAYMENT_ACTION_REQUIRED'""",
        "UPDATE payments SET next_action = jsonb_set(next_action, '{expires_at}', 'null')",
        "ALTER TABLE payment_events ENABLE TRIGGER ALL",
    )
    database.run(lambda connection: [connection.exec_driver_sql(statement) for statement in statements])
    let_pass(database, POLICY.payer_wait_s + 1)
    run_until_quiet(parts)
    assert ended_as(database, payment_id) == (State.FAILURE, "payer_abandoned")
    assert last_error_of(payment_now(database, payment_id))["category"] == "action"
