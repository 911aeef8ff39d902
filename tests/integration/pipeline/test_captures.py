"""Captures: in full, in parts, several at a time, and what becomes of one whose answer was lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from support.orders import CAPTURE, amounts, entity, held, ordering, payment_now, row_is_fold
from support.payments import (
    attempts_of,
    events_of,
    job_of,
    let_pass,
    make_due,
    pipeline,
    rows,
    run_until_quiet,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Declined, NotFound, NotSent, Outcome, Pending, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.errors import (
    AmountExceedsCapturable,
    IdempotencyKeyReused,
    InvalidState,
    TooManyWaiting,
)
from aegis_worker.errors import (
    NotFound as NoSuchPayment,
)
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.reconcile import sweep


class NoHints:
    def notify(self, queue: str) -> None:
        """Nobody is told, because the test runs the pipeline itself."""


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("a")


def captured(
    database: Database, gateway: ScriptedGateway, payment_id: str, *minors: int, final: bool | None = None
) -> None:
    """Order captures one after the other, each once the one before has ended."""
    for minor in minors:
        ordering(database, gateway, payment_id, CAPTURE, minor, f"{payment_id}-{minor}", final=final)
        run_until_quiet(pipeline(database, gateway))


def asked_again(database: Database, gateway: ScriptedGateway) -> None:
    """Let the time pass until gateways are asked again about what they had not decided, and ask."""
    database.run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE captures SET check_at = now() WHERE check_at IS NOT NULL"
        )
    )
    sweep(database, NoHints())
    run_until_quiet(pipeline(database, gateway))


def test_a_manual_payment_holds_its_funds_and_says_what_may_be_captured(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    assert payment_now(database, payment_id).state is State.AUTHORIZED
    assert amounts(database, payment_id) == {"authorized": 1999, "capturable": 1999}


def test_a_capture_of_all_ends_the_payment_in_success(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)
    accepted = ordering(database, gateway, payment_id, CAPTURE)
    assert accepted.job_id is not None
    assert amounts(database, payment_id) == {"authorized": 1999, "capturing": 1999}
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert amounts(database, payment_id) == {"authorized": 1999, "captured": 1999, "refundable": 1999}
    assert [event.type for event in events_of(database, payment_id)][-3:] == [
        "CAPTURE_REQUESTED",
        "CAPTURE_SUCCEEDED",
        "PAYMENT_SUCCEEDED",
    ]
    assert entity(database, accepted.id)["status"] == "succeeded"
    assert row_is_fold(database, payment_id)


def test_parts_add_up_until_a_final_one_releases_the_rest(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    captured(database, gateway, payment_id, 500, 300)
    assert amounts(database, payment_id) == {
        "authorized": 1999,
        "captured": 800,
        "capturable": 1199,
        "refundable": 800,
    }
    assert payment_now(database, payment_id).state is State.AUTHORIZED
    captured(database, gateway, payment_id, 200, final=True)
    assert amounts(database, payment_id) == {"authorized": 1999, "captured": 1000, "refundable": 1000}
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert sorted(gateway.captures.values()) == [200, 300, 500]
    assert row_is_fold(database, payment_id)


def test_the_last_of_several_parts_ends_the_hold_without_being_final(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    captured(database, gateway, payment_id, 999, 1000)
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert amounts(database, payment_id)["captured"] == 1999


def test_what_is_under_way_is_reserved(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)
    ordering(database, gateway, payment_id, CAPTURE, 1500)
    with pytest.raises(AmountExceedsCapturable) as refused:
        ordering(database, gateway, payment_id, CAPTURE, 500, "order-2")
    assert refused.value.more == {"capturable": 499}


def test_after_a_final_capture_nothing_more_is_taken_until_it_has_failed(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    ordering(database, gateway, payment_id, CAPTURE, 500, final=True)
    with pytest.raises(AmountExceedsCapturable):
        ordering(database, gateway, payment_id, CAPTURE, 1, "order-2")
    gateway.capturing = lambda request: Declined("generic_decline", "05")
    run_until_quiet(pipeline(database, gateway))
    assert amounts(database, payment_id) == {"authorized": 1999, "capturable": 1999}


def test_captures_that_are_ordered_meanwhile_wait_for_their_turn(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    accepted = [
        ordering(database, gateway, payment_id, CAPTURE, minor, f"order-{minor}") for minor in (100, 200, 300)
    ]
    assert [one.job_id is None for one in accepted] == [False, True, True]
    for _ in range(3):
        run_until_quiet(pipeline(database, gateway))
    assert [entity(database, one.id)["status"] for one in accepted] == ["succeeded"] * 3
    assert amounts(database, payment_id)["captured"] == 600
    assert list(gateway.captures.values()) == [100, 200, 300]


def test_one_that_is_ordered_while_another_is_at_the_gateway_loses_neither(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    asked, may_answer = Event(), Event()

    def slowly(request: GatewayRequest) -> Outcome:
        asked.set()
        assert may_answer.wait(20)
        return gateway.captured_once(request)

    gateway.capturing = slowly
    first = ordering(database, gateway, payment_id, CAPTURE, 500)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_until_quiet, pipeline(database, gateway))
        assert asked.wait(20)
        second = ordering(database, gateway, payment_id, CAPTURE, 700, "order-2")
        may_answer.set()
        running.result(30)
    run_until_quiet(pipeline(database, gateway))
    assert [entity(database, one.id)["status"] for one in (first, second)] == ["succeeded"] * 2
    assert [row["sends"] for row in attempts_of(database, payment_id)] == [1, 1, 1]
    assert amounts(database, payment_id)["captured"] == 1200
    assert row_is_fold(database, payment_id)


def test_at_most_twenty_wait(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)
    for number in range(20):
        ordering(database, gateway, payment_id, CAPTURE, 1, f"order-{number}")
    with pytest.raises(TooManyWaiting):
        ordering(database, gateway, payment_id, CAPTURE, 1, "order-20")


def test_the_same_order_under_its_key_is_the_same_capture_however_late(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    first = ordering(database, gateway, payment_id, CAPTURE, 500)
    run_until_quiet(pipeline(database, gateway))
    again = ordering(database, gateway, payment_id, CAPTURE, 500)
    assert (again.id, again.replayed) == (first.id, True)
    run_until_quiet(pipeline(database, gateway))
    assert list(gateway.captures.values()) == [500]
    with pytest.raises(IdempotencyKeyReused):
        ordering(database, gateway, payment_id, CAPTURE, 600, hmac=b"s" * 32)


def test_many_at_once_with_one_key_are_one_capture(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: ordering(database, gateway, payment_id, CAPTURE, 500), range(8)))
    assert len({one.id for one in told}) == 1
    assert [one.replayed for one in told].count(False) == 1
    assert amounts(database, payment_id)["capturing"] == 500


def test_many_at_once_never_take_more_than_is_held(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)

    def try_one(number: int) -> bool:
        try:
            ordering(database, gateway, payment_id, CAPTURE, 600, f"order-{number}")
        except AmountExceedsCapturable:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(try_one, range(6))) == 3
    for _ in range(3):
        run_until_quiet(pipeline(database, gateway))
    assert amounts(database, payment_id)["captured"] == 1800
    assert row_is_fold(database, payment_id)


def test_a_payment_that_holds_nothing_or_is_anothers_takes_no_capture(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    captured(database, gateway, payment_id, 1999)
    with pytest.raises(InvalidState) as refused:
        ordering(database, gateway, payment_id, CAPTURE, 1, "order-2")
    assert refused.value.more == {"allowed": ["refund"]}
    with pytest.raises(NoSuchPayment):
        ordering(database, gateway, "pay_" + "f" * 32, CAPTURE, 1, "order-3")
    assert rows(database, "SELECT 1 FROM jobs WHERE finished_at IS NULL") == []


def test_a_lost_answer_is_asked_about_under_the_captures_own_reference(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)

    def and_say_nothing(request: GatewayRequest) -> Outcome:
        gateway.captured_once(request)
        return Unknown("read timeout")

    gateway.capturing = and_say_nothing
    accepted = ordering(database, gateway, payment_id, CAPTURE, 500)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, accepted.id)["status"] == "pending"
    assert amounts(database, payment_id)["capturing"] == 500
    make_due(database)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, accepted.id)["status"] == "succeeded"
    (query,) = gateway.look_ups
    assert (query.reference, query.gateway_ref) == (f"{payment_id}c101", "ch_1")
    assert list(gateway.captures.values()) == [500]


def test_what_never_arrived_is_sent_again_under_its_own_key_with_the_same_body(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    gateway.capturing = lambda request: Unknown("reset")
    ordering(database, gateway, payment_id, CAPTURE, 500)
    run_until_quiet(pipeline(database, gateway))
    gateway.capturing = gateway.captured_once
    make_due(database)
    run_until_quiet(pipeline(database, gateway))
    first, second = (call for call in gateway.calls if call.operation == "capture")
    assert first == second
    assert list(gateway.captures.values()) == [500]


def test_a_capture_that_nobody_can_tell_of_goes_to_a_person_and_stays_reserved(database: Database) -> None:
    gateway = ScriptedGateway("a", key_lifetime_s=0)
    payment_id = held(database, gateway)
    gateway.capturing = lambda request: Unknown("reset")
    gateway.look_up = lambda query: NotFound()
    accepted = ordering(database, gateway, payment_id, CAPTURE, 500)
    run_until_quiet(pipeline(database, gateway))
    for _ in range(4):
        let_pass(database, 120)
        run_until_quiet(pipeline(database, gateway))
    assert job_of(database, payment_id)["status"] == "review"
    assert entity(database, accepted.id)["status"] == "pending"
    assert amounts(database, payment_id)["capturing"] == 500
    with pytest.raises(InvalidState):
        ordering(database, gateway, payment_id, CAPTURE, 1, "order-2")


def test_a_refusal_fails_the_capture_and_leaves_the_hold(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    gateway.capturing = lambda request: Declined("processing_error", "91", "try later")
    accepted = ordering(database, gateway, payment_id, CAPTURE, 500)
    run_until_quiet(pipeline(database, gateway))
    stored = entity(database, accepted.id)
    assert (stored["status"], stored["error"]["code"]) == ("failed", "processing_error")
    assert payment_now(database, payment_id).state is State.AUTHORIZED
    assert payment_now(database, payment_id).last_error is None
    assert amounts(database, payment_id) == {"authorized": 1999, "capturable": 1999}
    assert row_is_fold(database, payment_id)


def test_what_was_not_sent_is_sent_later(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)
    gateway.capturing = lambda request: NotSent("refused")
    accepted = ordering(database, gateway, payment_id, CAPTURE, 500)
    run_until_quiet(pipeline(database, gateway))
    gateway.capturing = gateway.captured_once
    make_due(database)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, accepted.id)["status"] == "succeeded"


def test_a_gateway_that_decides_later_ends_the_job_and_not_the_capture(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    gateway.capturing = lambda request: Pending("cap_at_a")
    accepted = ordering(database, gateway, payment_id, CAPTURE, 500)
    run_until_quiet(pipeline(database, gateway))
    assert (entity(database, accepted.id)["status"], job_of(database, payment_id)["status"]) == (
        "pending",
        "succeeded",
    )
    gateway.capturing = gateway.captured_once
    captured(database, gateway, payment_id, 300)
    in_between = amounts(database, payment_id)
    gateway.captures[f"{payment_id}c101"] = 500
    asked_again(database, gateway)
    assert entity(database, accepted.id)["status"] == "succeeded"
    assert amounts(database, payment_id)["captured"] == 800
    assert row_is_fold(database, payment_id)
    assert in_between == {
        "authorized": 1999,
        "captured": 300,
        "capturing": 500,
        "capturable": 1199,
        "refundable": 300,
    }
