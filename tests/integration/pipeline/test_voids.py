"""Cancelling: at once before anything is sent, a void of what is held, and recorded while a charge is under way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from support.orders import CAPTURE, VOID, amounts, entity, held, ordering, payment_now, row_is_fold
from support.payments import accept_one, job_of, make_due, pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Approved, Declined, Outcome, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.errors import InvalidState, JobOpen
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.hints import Notifier
from aegis_worker.persistence.database import Database
from aegis_worker.reconcile import sweep


class NoHints(Notifier):
    def notify(self, queue: str) -> None:
        """Nobody is told, because the test runs the pipeline itself."""


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway("a")


def test_before_anything_is_sent_a_payment_is_cancelled_at_once(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = accept_one(database).payment.id
    cancel = ordering(database, gateway, payment_id, VOID)
    assert (payment_now(database, payment_id).state, entity(database, cancel.id)["status"]) == (
        State.CANCELLED,
        "succeeded",
    )
    run_until_quiet(pipeline(database, gateway))
    assert gateway.calls == []
    assert row_is_fold(database, payment_id)


def test_a_worker_that_holds_the_payment_sends_nothing_once_it_is_cancelled(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    jobs = parts.jobs.claim("payments", limit=1, lease_s=90, worker="other")
    ordering(database, gateway, payment_id, VOID)
    assert parts.jobs.claim("payments", limit=1, lease_s=90, worker="test") == []
    assert job_of(database, payment_id)["lease_epoch"] > jobs[0].lease_epoch
    assert payment_now(database, payment_id).state is State.CANCELLED


def test_what_is_held_is_released(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)
    cancel = ordering(database, gateway, payment_id, VOID)
    assert cancel.job_id is not None
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).state is State.CANCELLED
    assert entity(database, cancel.id)["status"] == "succeeded"
    assert list(gateway.reversals) == [f"{payment_id}x101"]
    assert amounts(database, payment_id) == {"authorized": 1999}
    assert row_is_fold(database, payment_id)


def test_what_was_captured_stays_and_the_rest_is_released(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    ordering(database, gateway, payment_id, CAPTURE, 500)
    with pytest.raises(JobOpen):
        ordering(database, gateway, payment_id, VOID)
    run_until_quiet(pipeline(database, gateway))
    ordering(database, gateway, payment_id, VOID)
    with pytest.raises(InvalidState):
        ordering(database, gateway, payment_id, CAPTURE, 1, "order-2")
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).state is State.SUCCESS
    assert amounts(database, payment_id) == {"authorized": 1999, "captured": 500, "refundable": 500}
    assert row_is_fold(database, payment_id)


def test_a_lost_answer_is_asked_about(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = held(database, gateway)

    def and_say_nothing(request: GatewayRequest) -> Outcome:
        gateway.reversed_once(request)
        return Unknown("read timeout")

    gateway.reverse = and_say_nothing
    ordering(database, gateway, payment_id, VOID)
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).state is State.AUTHORIZED
    make_due(database)
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).state is State.CANCELLED
    assert row_is_fold(database, payment_id)


def test_a_refused_void_leaves_the_hold_and_may_be_tried_again(
    database: Database, gateway: ScriptedGateway
) -> None:
    payment_id = held(database, gateway)
    gateway.reverse = lambda request: Declined("processing_error", "91")
    first = ordering(database, gateway, payment_id, VOID)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, first.id)["status"] == "failed"
    assert amounts(database, payment_id) == {"authorized": 1999, "capturable": 1999}
    gateway.reverse = gateway.reversed_once
    ordering(database, gateway, payment_id, VOID, key="order-2")
    run_until_quiet(pipeline(database, gateway))
    assert payment_now(database, payment_id).state is State.CANCELLED


@pytest.mark.parametrize(
    ("capture_method", "answer", "state", "cancelled"),
    [
        ("manual", Approved("ch_1", captured=False), State.CANCELLED, "succeeded"),
        ("automatic", Approved("ch_1"), State.SUCCESS, "failed"),
        ("automatic", Declined("stolen_card", "43"), State.FAILURE, "failed"),
    ],
)
def test_while_a_charge_is_under_way_a_cancel_is_recorded(
    database: Database,
    gateway: ScriptedGateway,
    capture_method: str,
    answer: Outcome,
    state: State,
    cancelled: str,
) -> None:
    asked, may_answer = Event(), Event()

    def slowly(request: GatewayRequest) -> Outcome:
        asked.set()
        assert may_answer.wait(20)
        return answer

    slow = ScriptedGateway("a", slowly)
    payment_id = accept_one(database, capture_method=capture_method).payment.id
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_until_quiet, pipeline(database, slow))
        assert asked.wait(20)
        cancel = ordering(database, slow, payment_id, VOID)
        assert cancel.job_id is None
        may_answer.set()
        running.result(30)
    database.run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE voids SET check_at = now() WHERE check_at IS NOT NULL"
        )
    )
    sweep(database, NoHints())
    run_until_quiet(pipeline(database, slow))
    assert payment_now(database, payment_id).state is state
    stored = entity(database, cancel.id)
    assert stored["status"] == cancelled
    assert (stored["error"] or {}).get("code") == (None if cancelled == "succeeded" else "too_late")
    assert rows(database, "SELECT 1 FROM jobs WHERE finished_at IS NULL") == []
    assert row_is_fold(database, payment_id)


def test_what_has_ended_is_not_cancelled(database: Database, gateway: ScriptedGateway) -> None:
    payment_id = accept_one(database).payment.id
    run_until_quiet(pipeline(database, gateway))
    with pytest.raises(InvalidState):
        ordering(database, gateway, payment_id, VOID)
