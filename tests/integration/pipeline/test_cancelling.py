"""A cancel while a payment is under way: nothing more is tried, and what comes of what was sent decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.orders import VOID, entity, ordering, payment_now, row_is_fold
from support.payments import (
    accept_one,
    attempts_of,
    job_of,
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
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Unknown,
)
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run

AWAY = ActionRequired("ch_1", Redirect("https://bank.example/3ds"))
SOFT = Declined("issuer_unavailable", "91")


def cancelled_meanwhile(database: Database, answer: Outcome) -> Callable[[GatewayRequest], Outcome]:
    """A gateway's answer, before which the merchant cancels."""

    def script(request: GatewayRequest) -> Outcome:
        ordering(database, ScriptedGateway("a"), request.payment_id, VOID)
        return answer

    return script


def paid(database: Database, *gateways: ScriptedGateway, **changes: str) -> str:
    payment_id = accept_one(database, **changes).payment.id
    parts = pipeline(database, *gateways)
    for _ in range(3):
        run_until_quiet(parts)
        make_due(database)
    return payment_id


def ended_as(database: Database, payment_id: str) -> tuple[State, str, str | None]:
    """The payment's end, the cancel's, and what the merchant is told of the cancel; all books in order."""
    assert row_is_fold(database, payment_id)
    assert rows(database, "SELECT 1 FROM jobs WHERE finished_at IS NULL") == []
    (cancel,) = rows(database, "SELECT id FROM voids")
    stored = entity(database, cancel["id"])
    return payment_now(database, payment_id).state, stored["status"], (stored["error"] or {}).get("code")


@pytest.mark.parametrize("answer", [SOFT, NotSent("connection refused")])
def test_after_a_refusal_nothing_goes_to_the_next_gateway(database: Database, answer: Outcome) -> None:
    a, b = ScriptedGateway("a", cancelled_meanwhile(database, answer)), ScriptedGateway("b")
    payment_id = paid(database, a, b)
    assert ended_as(database, payment_id) == (State.FAILURE, "failed", "too_late")
    assert b.calls == []
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "CANCEL_REQUESTED", "FAILED"]


def test_a_charge_that_was_taken_stays(database: Database) -> None:
    a = ScriptedGateway("a", cancelled_meanwhile(database, Approved("ch_1")))
    payment_id = paid(database, a)
    assert ended_as(database, payment_id) == (State.SUCCESS, "failed", "too_late")


def test_a_hold_that_lands_is_released(database: Database) -> None:
    a = ScriptedGateway("a", cancelled_meanwhile(database, Approved("ch_1", captured=False)))
    payment_id = paid(database, a, capture_method="manual")
    assert ended_as(database, payment_id) == (State.CANCELLED, "succeeded", None)
    assert list(a.reversals) == [f"{payment_id}x101"]


def test_a_lost_call_is_asked_about_and_never_repeated(database: Database) -> None:
    a = ScriptedGateway("a", cancelled_meanwhile(database, Unknown("reset")), absence_window_s=0)
    a.look_up = answering(NotFound())
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, a, ScriptedGateway("b"))
    for _ in range(6):
        run_until_quiet(parts)
        make_due(database)
    assert ended_as(database, payment_id) == (State.FAILURE, "failed", "too_late")
    assert len(a.calls) == 1


def test_between_two_steps_the_second_is_not_made(database: Database) -> None:
    a = ScriptedGateway("a", steps=(Operation.INITIATE, Operation.PROCESS))
    a.initiating = cancelled_meanwhile(database, Approved("int_1", captured=False))
    payment_id = paid(database, a)
    assert ended_as(database, payment_id) == (State.CANCELLED, "succeeded", None)
    assert [row["operation"] for row in attempts_of(database, payment_id)] == ["initiate"]


def test_while_the_payer_has_to_act_the_door_is_closed_at_once(database: Database) -> None:
    a = ScriptedGateway("a", answering(AWAY))
    a.look_up = lambda query: a.by_ledger(query) if query.operation is Operation.CLOSE else AWAY
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, a)
    run(parts, "payments")
    ordering(database, a, payment_id, VOID)
    assert job_of(database, payment_id)["due_in_s"] <= 0
    run_until_quiet(parts)
    run_until_quiet(parts)
    assert ended_as(database, payment_id) == (State.CANCELLED, "succeeded", None)
    assert list(a.closed) == [f"{payment_id}-z1"]


def test_what_the_payer_paid_first_stays(database: Database) -> None:
    a = ScriptedGateway("a", answering(AWAY))
    a.look_up = answering(AWAY, Approved("ch_1"))
    a.closing = lambda request: Declined("invalid_request", "already_paid")
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, a)
    run(parts, "payments")
    ordering(database, a, payment_id, VOID)
    run_until_quiet(parts)
    run_until_quiet(parts)
    assert ended_as(database, payment_id) == (State.SUCCESS, "failed", "too_late")
