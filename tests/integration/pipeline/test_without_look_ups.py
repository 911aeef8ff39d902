"""A gateway that can't be asked: a call is repeated under its key, its event is evidence, and then a person is told."""

from __future__ import annotations

from functools import partial

import pytest
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, held, ordering, payment_now, row_is_fold
from support.payments import (
    A_RING,
    accept_one,
    attempts_of,
    job_of,
    let_pass,
    make_due,
    pipeline,
    rows,
    run_until_quiet,
)
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.gateway_events import NewEvent
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Movement, NotSent, Operation, Pending, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.gateway_events.follow import FollowParts, follow
from aegis_worker.ids import new_id
from aegis_worker.intake import request_sync
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import check_now, open_checks

CHARGED = frozenset({Operation.INITIATE, Operation.AUTHENTICATE, Operation.CONFIRM})


@pytest.fixture
def gateway() -> ScriptedGateway:
    gateway = ScriptedGateway("a")
    gateway.able(look_ups=CHARGED)
    return gateway


class NoHints:
    def notify(self, queue: str) -> None:
        """Do nothing: the tests run the workers."""


def tell(database: Database, gateway: ScriptedGateway, payment_id: str, movement: Movement) -> str:
    """The gateway's event, followed at once and worked on; returns what became of it."""
    charge = payment_now(database, payment_id).gateway_ref
    kind = f"{movement.operation.value}.{movement.status}"
    event = NewEvent(new_id("evt"), kind, movement.reference, charge, None, "waiting", movement=movement)
    keep = partial(gateway_event_rows.keep, ring=A_RING, gateway="a", account=None, events=[event], body=b"")
    database.run(keep)
    follow(FollowParts(database, {"a": gateway}, NoHints()))
    run_until_quiet(pipeline(database, gateway))
    (row,) = rows(database, f"SELECT status FROM gateway_events WHERE provider_event_id = '{event.event_id}'")
    return str(row["status"])


def paid(database: Database, gateway: ScriptedGateway) -> str:
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    return payment_id


def test_a_refund_whose_answer_was_lost_is_repeated_under_its_key(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = lambda request: (gateway.reversed_once(request), Unknown("reset"))[1]
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    gateway.reverse = gateway.reversed_once
    let_pass(database, 10)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "succeeded"
    assert (len(gateway.reversals), gateway.look_ups) == (1, [])
    assert attempts_of(database, payment_id)[-1]["sends"] == 2
    assert row_is_fold(database, payment_id)


def test_a_key_that_may_be_forgotten_is_not_repeated_and_a_person_is_told_in_the_end(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = answering(Unknown("reset"))
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    let_pass(database, 86_400)
    for _ in range(5):
        run_until_quiet(pipeline(database, gateway))
        make_due(database)
    assert entity(database, refund.id)["status"] == "pending"
    assert attempts_of(database, payment_id)[-1]["sends"] == 1
    assert job_of(database, payment_id)["status"] == "review"
    assert amounts(database, payment_id)["refunding"] == 500


@pytest.mark.parametrize(("status", "refunded"), [("succeeded", 500), ("failed", 0)])
def test_the_gateways_event_decides_about_what_it_has_taken_in(
    database: Database, gateway: ScriptedGateway, status: str, refunded: int
) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = answering(Pending("re_1"))
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "pending"
    key = f"{payment_id}b101"
    event = Movement(Operation.REFUND, 500, status, key, "re_1")  # type: ignore[arg-type]
    assert tell(database, gateway, payment_id, event) == "followed"
    assert entity(database, refund.id)["status"] == status
    assert amounts(database, payment_id).get("refunded", 0) == refunded
    assert row_is_fold(database, payment_id)


def test_what_a_gateway_took_in_and_never_told_of_is_a_persons_after_a_month(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = answering(Pending("re_1"))
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    for days, status in ((1, "succeeded"), (31, "review")):
        let_pass(database, days * 86_400)
        database.run(lambda connection: check_now(connection, refund.id))
        database.run(lambda connection: open_checks(connection, limit=10))
        run_until_quiet(pipeline(database, gateway))
        assert job_of(database, payment_id)["status"] == status
    assert entity(database, refund.id)["status"] == "pending"


def test_an_event_with_other_money_decides_nothing(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = answering(Pending("re_1"))
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    tell(
        database,
        gateway,
        payment_id,
        Movement(Operation.REFUND, 400, "succeeded", f"{payment_id}b101", "re_1"),
    )
    assert entity(database, refund.id)["status"] == "pending"
    assert amounts(database, payment_id)["refunding"] == 500


def test_a_refund_that_fails_late_and_one_of_the_dashboard_are_told_by_their_events(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = paid(database, gateway)
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    key = f"{payment_id}b101"
    assert tell(database, gateway, payment_id, Movement(Operation.REFUND, 500, "succeeded", key)) == "no_news"
    assert tell(database, gateway, payment_id, Movement(Operation.REFUND, 500, "failed", key)) == "followed"
    stored = entity(database, refund.id)
    assert (stored["status"], amounts(database, payment_id).get("refunded", 0)) == ("failed", 0)
    for _ in range(2):
        assert (
            tell(database, gateway, payment_id, Movement(Operation.REFUND, 300, gateway_ref="re_9"))
            == "followed"
        )
    assert amounts(database, payment_id)["refunded"] == 300
    (found,) = rows(database, "SELECT amount_minor, origin FROM refunds WHERE gateway_ref = 're_9'")
    assert found == {"amount_minor": 300, "origin": "gateway"}
    assert row_is_fold(database, payment_id)


def test_a_hold_that_was_cancelled_in_the_dashboard_is_told_by_its_event(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    assert (
        tell(database, gateway, payment_id, Movement(Operation.VOID, 1999, gateway_ref="vo_1")) == "followed"
    )
    assert payment_now(database, payment_id).state is State.CANCELLED
    assert row_is_fold(database, payment_id)


@pytest.mark.parametrize("kind", [CAPTURE, VOID])
def test_captures_and_voids_are_told_by_their_events_too(
    database: Database, gateway: ScriptedGateway, kind: EntityKind
) -> None:
    payment_id = held(database, gateway)
    gateway.capturing = gateway.reverse = answering(Pending("op_1"))
    order = ordering(database, gateway, payment_id, kind)
    run_until_quiet(pipeline(database, gateway))
    letter = "c" if kind is CAPTURE else "x"
    movement = Movement(Operation(kind.value), 1999, "succeeded", f"{payment_id}{letter}101", "op_1")
    assert tell(database, gateway, payment_id, movement) == "followed"
    assert entity(database, order.id)["status"] == "succeeded"
    expected = State.SUCCESS if kind is CAPTURE else State.CANCELLED
    assert payment_now(database, payment_id).state is expected
    assert row_is_fold(database, payment_id)


def test_what_never_left_is_sent_again(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = answering(NotSent("refused"))
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    gateway.reverse = gateway.reversed_once
    let_pass(database, 90_000)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "succeeded"


def test_a_charge_whose_answer_was_lost_is_repeated_under_its_key_and_charged_once(
    database: Database,
) -> None:
    gateway = ScriptedGateway("a")
    gateway._script = lambda request: (gateway.charge(request), Unknown("reset"))[1]
    gateway.able(look_ups=CHARGED)
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    gateway._script = gateway.charge
    let_pass(database, 10)
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert len(gateway.charges) == 1


def test_a_sync_says_that_the_gateway_cant_be_asked(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = paid(database, gateway)
    request_sync(database, Owner("m_1", "test"), payment_id)
    run_until_quiet(pipeline(database, gateway))
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == ("failed", "a can't be asked about it")


def test_doubt_about_a_step_that_moves_no_money_blocks_nothing(database: Database) -> None:
    first = ScriptedGateway("a", steps=(Operation.INITIATE, Operation.PROCESS))
    first.initiating = answering(Unknown("reset"))
    first.look_up = answering(Unknown("down"))
    second = ScriptedGateway("b")
    payment_id = accept_one(database).payment.id
    workers = pipeline(database, first, second)
    for _ in range(5):
        run_until_quiet(workers)
        let_pass(database, 60)
    payment = payment_now(database, payment_id)
    assert (payment.state, payment.gateway, payment.certainty) == (State.SUCCESS, "b", "known")
    assert row_is_fold(database, payment_id)
