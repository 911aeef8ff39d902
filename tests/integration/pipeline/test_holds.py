"""Funds that are held for a while only: merchants are told in time, and what was not captured ends by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.orders import CAPTURE, VOID, entity, ordering, payment_now, row_is_fold
from support.payments import (
    accept_one,
    events_of,
    job_of,
    make_due,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.moments import rfc3339
from aegis_worker.domain.outcomes import Approved, Declined, Pending
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.holds import look_after_holds
from aegis_worker.persistence.database import Database

A_WEEK = timedelta(days=7)


def holding(until: datetime) -> ScriptedGateway:
    """A gateway that holds funds until then."""
    held = Approved("ch_1", captured=False, captured_minor=0, refunded_minor=0, capture_before=until)
    gateway = ScriptedGateway("a", lambda request: held)
    gateway.look_up = lambda query: held
    return gateway


@pytest.fixture
def gateway() -> ScriptedGateway:
    return holding(datetime.now(UTC) + A_WEEK)


def held(database: Database, gateway: ScriptedGateway) -> str:
    payment_id = accept_one(database, capture_method="manual").payment.id
    run_until_quiet(pipeline(database, gateway))
    return payment_id


def let_pass(database: Database, time: timedelta) -> None:
    """Let time pass for what is held, by moving its end towards now: on the row and in the events."""
    moved = "to_jsonb(to_char((data->>'capture_before')::timestamptz - %(time)s, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'))"
    statements = (
        "SET LOCAL TIME ZONE 'UTC'",
        "ALTER TABLE payment_events DISABLE TRIGGER ALL",
        f"UPDATE payment_events SET data = jsonb_set(data, '{{capture_before}}', {moved}) WHERE data ? 'capture_before'",
        "ALTER TABLE payment_events ENABLE TRIGGER ALL",
        "UPDATE payments SET capture_before = capture_before - %(time)s, hold_due_at = hold_due_at - %(time)s",
        "UPDATE attempts SET sent_at = sent_at - %(time)s",
    )
    database.run(
        lambda connection: [
            connection.exec_driver_sql(one, {"time": time} if "%(" in one else {}) for one in statements
        ]
    )


def look(database: Database, gateway: ScriptedGateway, *, release_before_s: float = 0.0) -> int:
    """What the beat and the workers do."""
    found = look_after_holds(database, release_before_s)
    for _ in range(2):
        run_until_quiet(pipeline(database, gateway))
        make_due(database)
    return found


def told(database: Database, payment_id: str) -> int:
    """How often the merchant was told that the hold ends soon."""
    return sum(event.type is EventType.AUTHORIZATION_EXPIRING for event in events_of(database, payment_id))


def test_the_end_of_a_hold_is_known_from_the_gateway(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)
    payment = payment_now(database, payment_id)
    assert payment.capture_before is not None
    assert datetime.fromisoformat(payment.capture_before) > datetime.now(UTC) + timedelta(days=6)
    assert row_is_fold(database, payment_id)
    assert look(database, gateway) == 0


def test_where_the_gateway_does_not_say_a_hold_lasts_as_long_as_its_holds_do(database: Database) -> None:
    gateway = ScriptedGateway("a")
    gateway.able(hold_s=3600.0)
    payment = payment_now(database, held(database, gateway))
    assert payment.capture_before is not None
    left = datetime.fromisoformat(payment.capture_before) - datetime.now(UTC)
    assert timedelta(minutes=50) < left <= timedelta(hours=1)


def test_where_nobody_knows_the_end_nothing_is_told(database: Database) -> None:
    gateway = ScriptedGateway("a")
    payment_id = held(database, gateway)
    assert payment_now(database, payment_id).capture_before is None
    assert look(database, gateway) == 0


def test_what_is_captured_at_once_has_no_end(database: Database) -> None:
    gateway = ScriptedGateway("a")
    gateway.able(hold_s=3600.0)
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).capture_before is None


def test_the_merchant_is_told_a_day_and_two_hours_before_each_once(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    let_pass(database, A_WEEK - timedelta(hours=23))
    assert [look(database, gateway), look(database, gateway)] == [1, 0]
    assert told(database, payment_id) == 1
    let_pass(database, timedelta(hours=22))
    assert [look(database, gateway), look(database, gateway)] == [1, 0]
    assert told(database, payment_id) == 2
    assert payment_now(database, payment_id).state is State.AUTHORIZED
    assert row_is_fold(database, payment_id)


def test_of_a_short_hold_the_merchant_is_told_at_once(database: Database) -> None:
    gateway = holding(datetime.now(UTC) + timedelta(hours=1))
    payment_id = held(database, gateway)
    assert look(database, gateway) == 1
    assert story_of(database, payment_id)[-1] == "AUTHORIZATION_EXPIRING"
    assert rfc3339(datetime.now(UTC)) < events_of(database, payment_id)[-1].data["capture_before"]


def test_a_hold_with_another_job_under_way_is_looked_at_a_little_later(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    let_pass(database, A_WEEK - timedelta(hours=1))
    ordering(database, gateway, payment_id, CAPTURE, 500, final=False)
    assert look_after_holds(database, 0.0) == 0
    run_until_quiet(pipeline(database, gateway))
    let_pass(database, timedelta(minutes=1))
    assert look(database, gateway) == 1
    assert told(database, payment_id) == 1


def test_after_its_end_the_gateway_is_asked_and_the_payment_is_cancelled(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    let_pass(database, A_WEEK + timedelta(hours=1))
    gateway.look_up = lambda query: Declined("generic_decline", "expired", "", "ch_1", released=True)
    assert look(database, gateway) == 1
    payment = payment_now(database, payment_id)
    assert (payment.state, (payment.last_error or {}).get("code")) == (
        State.CANCELLED,
        "authorization_expired",
    )
    assert events_of(database, payment_id)[-1].data["reason"] == "authorization_expired"
    assert row_is_fold(database, payment_id)
    assert look(database, gateway) == 0


def test_what_was_captured_of_an_expired_hold_is_the_payments_success(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    ordering(database, gateway, payment_id, CAPTURE, 500, final=False)
    run_until_quiet(pipeline(database, gateway))
    let_pass(database, A_WEEK + timedelta(hours=1))
    gateway.look_up = lambda query: Approved("ch_1", captured_minor=500, refunded_minor=0)
    assert look(database, gateway) == 1
    payment = payment_now(database, payment_id)
    assert (payment.state, payment.captured_minor) == (State.SUCCESS, 500)
    assert row_is_fold(database, payment_id)


def test_a_hold_that_stands_after_its_end_is_asked_about_again_and_then_goes_to_a_person(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    let_pass(database, A_WEEK + timedelta(hours=1))
    assert look(database, gateway) == 1
    assert payment_now(database, payment_id).state is State.AUTHORIZED
    let_pass(database, timedelta(days=4))
    assert look(database, gateway) == 1
    assert job_of(database, payment_id)["status"] == "review"


def test_while_a_capture_is_pending_an_expired_hold_stays(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    gateway.capturing = lambda request: Pending("cap_1")
    ordering(database, gateway, payment_id, CAPTURE)
    run_until_quiet(pipeline(database, gateway))
    let_pass(database, A_WEEK + timedelta(hours=1))
    gateway.look_up = lambda query: Declined("generic_decline", "expired", "", "ch_1", released=True)
    look(database, gateway)
    assert payment_now(database, payment_id).state is State.AUTHORIZED


def test_where_the_installation_wants_it_a_hold_is_released_before_it_expires(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    let_pass(database, A_WEEK - timedelta(hours=20))
    assert look(database, gateway, release_before_s=3600.0) == 1
    assert payment_now(database, payment_id).state is State.AUTHORIZED
    let_pass(database, timedelta(hours=19, minutes=30))
    assert look(database, gateway, release_before_s=3600.0) == 1
    assert payment_now(database, payment_id).state is State.CANCELLED
    (void,) = rows(database, "SELECT id, status FROM voids")
    assert entity(database, void["id"])["status"] == "succeeded"
    assert list(gateway.reversals) == [f"{payment_id}x101"]
    assert row_is_fold(database, payment_id)


def test_a_cancel_after_a_refused_release_has_a_number_of_its_own(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    let_pass(database, A_WEEK - timedelta(minutes=30))
    gateway.reverse = lambda request: Declined("processing_error", "91")
    look(database, gateway, release_before_s=3600.0)
    gateway.reverse = gateway.reversed_once
    ordering(database, gateway, payment_id, VOID)
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).state is State.CANCELLED
    assert [row["number"] for row in rows(database, "SELECT number FROM voids ORDER BY number")] == [1, 2]


def test_two_sweeps_at_once_tell_once(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)
    let_pass(database, A_WEEK - timedelta(hours=1))
    assert sum(look_after_holds(database, 0.0) for _ in range(2)) == 1
    run_until_quiet(pipeline(database, gateway))
    assert told(database, payment_id) == 1
