"""No payment crosses from live to test, and no call is asked about, or followed, under another account than its own."""

from __future__ import annotations

from typing import Any

import pytest
from support.payments import (
    accept_one,
    attempts_of,
    job_of,
    last_error_of,
    let_pass,
    make_due,
    payment_of,
    pipeline,
    rows,
    story_of,
)
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.audit.run import AuditParts, audit_all
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Approved, Declined, NotSent, Operation, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.hints import NoHints
from aegis_worker.intake import request_sync
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.recheck import RecheckParts, recheck
from aegis_worker.pipeline.run import run

LIVE, TEST = Owner("m_1", "live"), Owner("m_1", "test")


def lost(*_: object) -> Unknown:
    return Unknown("no answer")


def of_account(account: str | None, **config: Any) -> ScriptedGateway:
    return ScriptedGateway("a", lost, account=account, **config)


def test_a_live_payment_does_not_fail_over_to_a_sandbox(database: Database) -> None:
    down = ScriptedGateway("real", answering(NotSent("refused")), mode="live")
    sandbox = ScriptedGateway("sandbox")
    payment_id = accept_one(database, owner=LIVE).payment.id
    parts = pipeline(database, down, sandbox)
    for _ in range(5):
        run(parts, "payments")
        make_due(database)
    assert payment_of(database, payment_id).state is State.FAILURE
    assert sandbox.calls == []
    decision = attempts_of(database, payment_id)[0]["decision"]
    assert decision["candidates"] == ["real"]
    assert decision["left_out"] == {"sandbox": "takes test payments, and this is a live one"}


def test_a_test_payment_is_charged_at_no_live_gateway(database: Database) -> None:
    real = ScriptedGateway("real", mode="live")
    payment_id = accept_one(database, owner=TEST).payment.id
    run(pipeline(database, real), "payments")
    payment = payment_of(database, payment_id)
    assert payment.state is State.FAILURE
    assert last_error_of(payment)["code"] == "no_eligible_gateway"
    assert "real takes live payments, and this is a test one" in str(last_error_of(payment)["message"])
    assert real.calls == []


def test_payments_of_both_modes_in_one_batch_each_go_their_way(database: Database) -> None:
    real, sandbox = ScriptedGateway("real", mode="live"), ScriptedGateway("sandbox")
    ids = {owner: accept_one(database, f"key-{owner.mode}", owner=owner).payment.id for owner in (LIVE, TEST)}
    run(pipeline(database, sandbox, real), "payments")
    assert [call.payment_id for call in real.calls] == [ids[LIVE]]
    assert [call.payment_id for call in sandbox.calls] == [ids[TEST]]


def test_an_attempt_says_which_account_it_was_made_with(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("a", account="acct_1")), "payments")
    (attempt,) = attempts_of(database, payment_id)
    assert (attempt["gateway"], attempt["account"]) == ("a", "acct_1")


OTHER = [
    pytest.param(
        "acct_1", "acct_2", "is the account acct_2 now, and this was sent with the account acct_1", id="other"
    ),
    pytest.param(None, "acct_2", "take its account out again", id="named since"),
    pytest.param("acct_1", None, 'put account = "acct_1" back', id="no longer named"),
]


@pytest.mark.parametrize(("before", "now", "advice"), OTHER)
def test_a_charge_in_doubt_is_neither_asked_about_nor_repeated_under_another_account(
    database: Database, before: str | None, now: str | None, advice: str
) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, of_account(before)), "payments")
    make_due(database)
    other, second = of_account(now), ScriptedGateway("b")
    run(pipeline(database, other, second), "verify")
    assert (other.look_ups, other.calls, second.calls) == ([], [], [])
    job = job_of(database, payment_id)
    assert job["status"] == "review"
    assert advice in job["reason"]
    assert payment_of(database, payment_id).certainty == "unknown"


def test_with_its_own_account_back_the_payment_goes_on(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, of_account("acct_1")), "payments")
    make_due(database)
    run(pipeline(database, of_account("acct_2")), "verify")
    request_sync(database, TEST, payment_id)
    again = of_account("acct_1")
    again.look_up = answering(Approved("ch_1"))
    run(pipeline(database, again), "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert story_of(database, payment_id)[-1] == "SUCCEEDED"


def test_a_step_is_not_followed_by_the_next_one_under_another_account(database: Database) -> None:
    steps = (Operation.INITIATE, Operation.PROCESS)
    first = ScriptedGateway("a", steps=steps, account="acct_1")
    first.initiating = lost
    payment_id = accept_one(database).payment.id
    run(pipeline(database, first), "payments")
    database.run(
        lambda tx: tx.exec_driver_sql("UPDATE attempts SET status = 'APPROVED', gateway_ref = 'int_1'")
    )
    make_due(database)
    other = ScriptedGateway("a", steps=steps, account="acct_2")
    run(pipeline(database, other), "verify")
    assert (other.calls, other.look_ups) == ([], [])
    assert job_of(database, payment_id)["status"] == "review"


def test_a_gateway_that_changed_its_mode_is_asked_nothing_about_what_it_did_before(
    database: Database,
) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, of_account(None)), "payments")
    make_due(database)
    other = of_account(None, mode="live")
    run(pipeline(database, other), "verify")
    assert other.look_ups == []
    assert 'put mode = "test" back' in job_of(database, payment_id)["reason"]


def test_sync_recheck_and_audit_ask_nothing_under_another_account(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    declining = ScriptedGateway("a", lambda _: Declined("lost_card", "lost"), account="acct_1")
    run(pipeline(database, declining), "payments")
    let_pass(database, 3600)
    database.run(lambda tx: tx.exec_driver_sql("UPDATE attempts SET recheck_at = now()"))
    other = of_account("acct_2")
    recheck(RecheckParts(database, {"a": other}, NoHints(), (900.0, 3600.0)))
    request_sync(database, TEST, payment_id)
    run(pipeline(database, other), "verify")
    audit_all(AuditParts(database, {"a": other}, Bounds(), 100, 5.0), ask_gateways=True)
    assert other.look_ups == []
    job = job_of(database, payment_id)
    assert (job["status"], "the account acct_1" in job["reason"]) == ("failed", True)


def test_a_charge_too_many_is_given_back_by_its_own_account_only(database: Database) -> None:
    late = of_account("acct_1", key_lifetime_s=0)
    payment_id = accept_one(database).payment.id
    run(pipeline(database, late), "payments")
    database.run(
        lambda tx: tx.exec_driver_sql(
            "UPDATE attempts SET status = 'DECLINED'; UPDATE jobs SET status = 'failed', finished_at = now();"
            "INSERT INTO jobs (id, payment_id, merchant_id, operation, queue, status, request) SELECT 'job_r',"
            " payment_id, merchant_id, 'refund', 'payments', 'queued',"
            ' \'{"reverse": {"gateway": "a", "gateway_ref": "ch_1", "number": 1}}\' FROM jobs'
        )
    )
    other = of_account("acct_2")
    run(pipeline(database, other), "payments")
    assert (other.calls, other.look_ups) == ([], [])
    assert rows(database, "SELECT status FROM jobs WHERE id = 'job_r'") == [{"status": "review"}]
    own = of_account("acct_1")
    database.run(lambda tx: tx.exec_driver_sql("UPDATE jobs SET status = 'queued' WHERE id = 'job_r'"))
    run(pipeline(database, own), "payments")
    assert [call.operation for call in own.calls] == [Operation.REFUND]
    refund = attempts_of(database, payment_id)[-1]
    assert (refund["operation"], refund["account"]) == ("refund", "acct_1")
