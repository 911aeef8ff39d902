"""Nobody stops asking about a charge that may stand without an answer: where its gateway is silent to the end, a person is
told.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.payments import (
    accept_one,
    attempts_of,
    job_of,
    let_pass,
    make_due,
    payment_of,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.rechecks import rechecked
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Approved, Declined, NotFound, Unknown, UnknownKind
from aegis_worker.domain.transitions import State
from aegis_worker.intake import request_sync
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run

HARD, SOFT, LOST = Declined("stolen_card", "43"), Declined("issuer_unavailable", "91"), Unknown("reset")
SILENT = Unknown("status is down")


def a_week_passes(database: Database) -> None:
    """Longer than twice the ladder."""
    older = "UPDATE attempts SET answered_at = answered_at - %(age)s"
    database.run(lambda tx: tx.exec_driver_sql(older, {"age": timedelta(days=7)}))


def asked_to_the_end(database: Database, parts: PipelineParts) -> None:
    """Every rung of the ladder of look-ups."""
    for _ in range(6):
        make_due(database)
        run_until_quiet(parts)


def refused_on_repeat(database: Database) -> tuple[str, PipelineParts, ScriptedGateway]:
    """A payment that has failed: its first call was lost, and the repeat of it was refused. Its gateway is silent since."""
    gateway = ScriptedGateway("a", answering(LOST, HARD))
    gateway.look_up = lambda query: NotFound()
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    let_pass(database, 60)
    run(parts, "verify")
    assert payment_of(database, payment_id).state is State.FAILURE
    gateway.look_up = lambda query: SILENT
    return payment_id, parts, gateway


def test_a_charge_whose_gateway_is_silent_to_the_end_is_a_persons(database: Database) -> None:
    payment_id, parts, _ = refused_on_repeat(database)
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
    a_week_passes(database)
    assert rechecked(database, parts) == {"asked": 1, "found": 1}
    assert attempts_of(database, payment_id)[0]["recheck_at"] is None
    asked_to_the_end(database, parts)
    assert job_of(database, payment_id)["status"] == "review"
    assert story_of(database, payment_id)[-2:] == ["FAILED", "REVIEW_REQUIRED"]


def test_what_such_a_gateway_tells_at_last_is_believed(database: Database) -> None:
    payment_id, parts, gateway = refused_on_repeat(database)
    a_week_passes(database)
    rechecked(database, parts)
    gateway.look_up = lambda query: Approved("ch_late")
    asked_to_the_end(database, parts)
    assert story_of(database, payment_id)[-2:] == ["DUPLICATE_DETECTED", "DUPLICATE_REVERSED"]


@pytest.mark.parametrize("look_up", [SILENT, Approved("ch_late")])
def test_a_charge_is_not_let_go_of_while_another_job_of_its_payment_is_open(
    database: Database, look_up: Unknown | Approved
) -> None:
    payment_id, parts, gateway = refused_on_repeat(database)
    gateway.look_up = lambda query: look_up
    other = (
        "INSERT INTO jobs (id, payment_id, merchant_id, mode, operation, queue, status)"
        " SELECT 'job_other', id, merchant_id, mode, 'void', 'payments', 'queued' FROM payments"
    )
    database.run(lambda tx: tx.exec_driver_sql(other))
    for _ in range(2):
        a_week_passes(database)
        assert rechecked(database, parts) == {"asked": 1, "found": 0}
    database.run(lambda tx: tx.exec_driver_sql("DELETE FROM jobs WHERE id = 'job_other'"))
    assert rechecked(database, parts) == {"asked": 1, "found": 1}
    assert job_of(database, payment_id)["operation"] == "sync"


def test_a_sync_that_waits_already_takes_it_over(database: Database) -> None:
    payment_id, parts, _ = refused_on_repeat(database)
    request_sync(database, Owner("m_1", "test"), payment_id)
    a_week_passes(database)
    assert rechecked(database, parts) == {"asked": 1, "found": 1}
    gone = pipeline(database, ScriptedGateway("b"))
    asked_to_the_end(database, gone)
    assert job_of(database, payment_id)["status"] == "review"


def test_a_gateway_that_is_not_configured_any_more_is_a_persons_too(database: Database) -> None:
    payment_id, _, _ = refused_on_repeat(database)
    gone = pipeline(database, ScriptedGateway("b"))
    a_week_passes(database)
    assert rechecked(database, gone) == {"asked": 1, "found": 1}
    asked_to_the_end(database, gone)
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == (
        "review",
        "a told nothing of attempt 1 by the end of the rechecks: gateway a is no longer configured",
    )


def test_what_was_refused_when_it_was_called_for_the_first_time_is_no_persons(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway := ScriptedGateway("a", lambda request: HARD))
    run(parts, "payments")
    gateway.look_up = lambda query: SILENT
    a_week_passes(database)
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
    assert attempts_of(database, payment_id)[0]["recheck_at"] is None
    assert job_of(database, payment_id)["operation"] == "process"


def test_a_gateway_that_tells_by_events_alone_is_not_waited_for(database: Database) -> None:
    payment_id, parts, gateway = refused_on_repeat(database)
    gateway.look_up = lambda query: Unknown("no event has come", kind=UnknownKind.NO_LOOK_UP)
    a_week_passes(database)
    assert rechecked(database, parts) == {"asked": 1, "found": 0}
    assert attempts_of(database, payment_id)[0]["recheck_at"] is None


def test_a_charge_too_many_is_a_persons_where_its_gateway_cannot_be_reached_any_more(
    database: Database,
) -> None:
    payment_id, parts, gateway = refused_on_repeat(database)
    gateway.look_up = lambda query: Approved("ch_late", captured=False)
    gateway.reverse = lambda request: Declined("invalid_request", "invalid_state")
    assert rechecked(database, parts) == {"asked": 1, "found": 1}
    for queue in ("verify", "payments"):  # it is found, and its void is refused
        run(parts, queue)
    asked_to_the_end(database, pipeline(database, ScriptedGateway("b")))
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == (
        "review",
        "a holds a charge too many, its reference ch_late: gateway a is no longer configured",
    )


def test_a_sync_of_a_merchant_ends_with_why_nobody_could_be_asked(database: Database) -> None:
    payment_id, _, _ = refused_on_repeat(database)
    gone = pipeline(database, ScriptedGateway("b"))
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(gone, "verify")
    assert rows(database, "SELECT status, reason FROM jobs WHERE operation = 'sync'") == [
        {"status": "failed", "reason": "gateway a is no longer configured"}
    ]
