"""A gateway that can't be asked: a call is repeated under its key, what it has told is read, and then a person is told."""

from __future__ import annotations

from typing import Any

import pytest
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, held, ordering, payment_now, row_is_fold
from support.payments import (
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
from support.told_gateway import ToldGateway

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Lookup, NotSent, Operation, Pending, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.requests import StatusQuery
from aegis_worker.intake import request_sync
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.entity_rows import check_now, open_checks


@pytest.fixture
def gateway(database: Database) -> ToldGateway:
    return ToldGateway("a", database)


def tell(database: Database, gateway: ToldGateway, code: str, own_ref: str, minor: int, **about: Any) -> str:
    """The gateway's event, followed at once and worked on; returns what became of it."""
    became = gateway.tells(code, own_ref, minor, **about)
    run_until_quiet(pipeline(database, gateway))
    return became


def paid(database: Database, gateway: ToldGateway) -> str:
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    return payment_id


def test_a_refund_whose_answer_was_lost_is_repeated_under_its_key(
    database: Database, gateway: ToldGateway
) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = lambda request: (gateway.reversed_once(request), Unknown("reset"))[1]
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    gateway.reverse = gateway.reversed_once
    let_pass(database, 10)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "succeeded"
    assert len(gateway.reversals) == 1
    assert attempts_of(database, payment_id)[-1]["sends"] == 2
    assert row_is_fold(database, payment_id)


def test_a_key_that_may_be_forgotten_is_not_repeated_and_a_person_is_told_in_the_end(
    database: Database, gateway: ToldGateway
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


@pytest.mark.parametrize(("success", "status", "refunded"), [(True, "succeeded", 500), (False, "failed", 0)])
def test_the_gateways_event_decides_about_what_it_has_taken_in(
    database: Database, gateway: ToldGateway, success: bool, status: str, refunded: int
) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = answering(Pending("re_1"))
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "pending"
    key = f"{payment_id}b101"
    assert tell(database, gateway, "REFUND", "re_1", 500, reference=key, success=success) == "followed"
    assert entity(database, refund.id)["status"] == status
    assert amounts(database, payment_id).get("refunded", 0) == refunded
    assert row_is_fold(database, payment_id)


def test_an_event_that_comes_while_a_worker_reads_what_was_told_is_read_again(
    database: Database, gateway: ToldGateway
) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = answering(Pending("re_1"))
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    reads = gateway.get_status

    def and_then_it_comes(query: StatusQuery) -> Lookup:
        nothing = reads(query)
        gateway.get_status = reads  # type: ignore[method-assign]
        assert gateway.tells("REFUND", "re_1", 500, reference=f"{payment_id}b101") == "waiting"
        return nothing

    gateway.get_status = and_then_it_comes  # type: ignore[method-assign]
    database.run(lambda connection: check_now(connection, refund.id))
    database.run(lambda connection: open_checks(connection, limit=10))
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "pending"
    database.run(lambda connection: connection.exec_driver_sql("UPDATE gateway_events SET due_at = now()"))
    gateway.is_followed()
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "succeeded"
    assert rows(database, "SELECT status FROM gateway_events") == [{"status": "followed"}]


def test_what_a_gateway_took_in_and_never_told_of_is_a_persons_after_a_month(
    database: Database, gateway: ToldGateway
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


def test_an_event_with_other_money_decides_nothing(database: Database, gateway: ToldGateway) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = answering(Pending("re_1"))
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    tell(database, gateway, "REFUND", "re_1", 400, reference=f"{payment_id}b101")
    assert entity(database, refund.id)["status"] == "pending"
    assert amounts(database, payment_id)["refunding"] == 500


def test_a_refund_that_fails_late_and_one_of_the_dashboard_are_told_by_their_events(
    database: Database, gateway: ToldGateway
) -> None:
    payment_id = paid(database, gateway)
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    ours = {"reference": f"{payment_id}b101"}
    assert tell(database, gateway, "REFUND", "ch_1", 500, **ours) == "no_news"
    assert tell(database, gateway, "REFUND_FAILED", "ch_1", 500, **ours) == "followed"
    stored = entity(database, refund.id)
    assert (stored["status"], amounts(database, payment_id).get("refunded", 0)) == ("failed", 0)
    for _ in range(2):
        assert tell(database, gateway, "REFUND", "re_9", 300) == "followed"
    assert amounts(database, payment_id)["refunded"] == 300
    (found,) = rows(database, "SELECT amount_minor, origin FROM refunds WHERE gateway_ref = 're_9'")
    assert found == {"amount_minor": 300, "origin": "gateway"}
    assert row_is_fold(database, payment_id)


def test_a_hold_that_was_cancelled_in_the_dashboard_is_told_by_its_event(
    database: Database, gateway: ToldGateway
) -> None:
    payment_id = held(database, gateway)
    assert tell(database, gateway, "CANCELLATION", "vo_1", 1999) == "followed"
    assert payment_now(database, payment_id).state is State.CANCELLED
    assert row_is_fold(database, payment_id)


@pytest.mark.parametrize("kind", [CAPTURE, VOID])
def test_captures_and_voids_are_told_by_their_events_too(
    database: Database, gateway: ToldGateway, kind: EntityKind
) -> None:
    payment_id = held(database, gateway)
    gateway.capturing = gateway.reverse = answering(Pending("op_1"))
    order = ordering(database, gateway, payment_id, kind)
    run_until_quiet(pipeline(database, gateway))
    letter, code = ("c", "CAPTURE") if kind is CAPTURE else ("x", "CANCELLATION")
    assert tell(database, gateway, code, "op_1", 1999, reference=f"{payment_id}{letter}101") == "followed"
    assert entity(database, order.id)["status"] == "succeeded"
    expected = State.SUCCESS if kind is CAPTURE else State.CANCELLED
    assert payment_now(database, payment_id).state is expected
    assert row_is_fold(database, payment_id)


def test_one_of_several_captures_that_fails_late_leaves_the_others(
    database: Database, gateway: ToldGateway
) -> None:
    payment_id = held(database, gateway)
    orders = []
    for number, minor in enumerate((500, 700, 300), start=1):
        gateway.capturing = answering(Pending(f"cap_{number}"))
        order = ordering(database, gateway, payment_id, CAPTURE, minor, f"c-{number}", final=number == 3)
        run_until_quiet(pipeline(database, gateway))
        orders.append((order.id, f"cap_{number}", minor, f"{payment_id}c10{number}"))
    for _, own_ref, minor, key in reversed(orders):
        tell(database, gateway, "CAPTURE", own_ref, minor, reference=key)
    _, own_ref, minor, key = orders[1]
    assert tell(database, gateway, "CAPTURE_FAILED", own_ref, minor, reference=key) == "followed"
    statuses = [entity(database, order_id)["status"] for order_id, *_ in orders]
    assert statuses == ["succeeded", "failed", "succeeded"]
    assert amounts(database, payment_id)["captured"] == 800
    assert row_is_fold(database, payment_id)


def test_what_never_left_is_sent_again(database: Database, gateway: ToldGateway) -> None:
    payment_id = paid(database, gateway)
    gateway.reverse = answering(NotSent("refused"))
    refund = ordering(database, gateway, payment_id, REFUND, 500)
    run_until_quiet(pipeline(database, gateway))
    gateway.reverse = gateway.reversed_once
    let_pass(database, 90_000)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, refund.id)["status"] == "succeeded"


def test_a_charge_whose_answer_was_lost_is_repeated_under_its_key_and_charged_once(
    database: Database, gateway: ToldGateway
) -> None:
    gateway._script = lambda request: (gateway.charge(request), Unknown("reset"))[1]
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    gateway._script = gateway.charge
    let_pass(database, 10)
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert len(gateway.charges) == 1


def test_what_nothing_else_tells_is_kept_for_as_long_as_a_charge_may_be_disputed(
    database: Database, gateway: ToldGateway
) -> None:
    paid(database, gateway)
    tell(database, gateway, "REFUND", "re_1", 300)
    gateway.tells("REPORT_AVAILABLE", "of_nobody", 0, charge_ref="of_nobody")
    late = "UPDATE gateway_events SET due_at = now(), waits_until = now() WHERE status = 'waiting'"
    database.run(lambda connection: connection.exec_driver_sql(late))
    gateway.is_followed()
    kept = "SELECT status, round(extract(epoch FROM keep_until - received_at) / 86400) AS days FROM gateway_events"
    days = {row["status"]: row["days"] for row in rows(database, kept)}
    assert days == {"followed": 730, "unmatched": 30}


def test_a_sync_says_that_the_gateway_cant_be_asked(database: Database, gateway: ToldGateway) -> None:
    payment_id = paid(database, gateway)
    request_sync(database, Owner("m_1", "test"), payment_id)
    run_until_quiet(pipeline(database, gateway))
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == ("failed", "Adyen can't be asked, and has told nothing of it")


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
