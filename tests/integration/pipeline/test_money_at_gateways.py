"""What a gateway shows of a charge is compared with what we say of it: its amount, and what was captured and refunded."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.payments import (
    accept_one,
    attempts_of,
    events_of,
    job_of,
    let_pass,
    make_due,
    payment_of,
    pipeline,
    story_of,
)
from support.sandbox_pair import adapter
from support.sandbox_process import Sandbox, running_sandbox
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.audit.run import AuditParts, audit_all
from aegis_worker.audit.violations import Bounds
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Approved, Declined, NotFound, Pending, Unknown, UnknownKind
from aegis_worker.domain.transitions import State
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.hints import NoHints
from aegis_worker.intake import request_sync
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.recheck import RecheckParts, recheck
from aegis_worker.pipeline.run import run
from aegis_worker.reconcile import ReconcileParts, reconcile


@dataclass
class Books:
    """A sandbox gateway whose books are changed behind everybody's back, and the adapter that asks it."""

    sandbox: Sandbox
    ledger: Path
    gateway: LoadedGateway

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.ledger, timeout=10)) as books:
            books.execute("PRAGMA ignore_check_constraints = 1")
            books.execute(statement)
            books.commit()


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with running_sandbox(tmp_path) as sandbox:
        gateway = adapter(sandbox, key_lifetime_s=60, absence_window_s=60)
        yield Books(sandbox, tmp_path / "sandbox_a.sqlite", gateway)
        gateway.close_connections()


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)


def reconciled(database: Database, *gateways: Any) -> Any:
    named = {gateway.config.name: gateway for gateway in gateways}
    parts = ReconcileParts(database, named, NoHints(), lambda: None)
    return reconcile(parts, trigger="operator", dry_run=True, since=an_hour_ago())


def audited(database: Database, *gateways: Any) -> Any:
    named = {gateway.config.name: gateway for gateway in gateways}
    return audit_all(AuditParts(database, named, Bounds(), 100, 5.0), ask_gateways=True)


OTHERS = [
    pytest.param("amount = 19990", "19990 USD", id="another amount"),
    pytest.param("currency = 'EUR'", "1999 EUR", id="another currency"),
    pytest.param("captured = 1000", "1000 USD captured", id="captured in part"),
    pytest.param("refunded = 500", "500 refunded", id="refunded in part"),
    pytest.param("refunded = 1999", "1999 refunded", id="given back"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "found"), OTHERS)
def test_money_that_changed_at_the_gateway_after_success_is_reported_by_sync_reconcile_and_audit(
    database: Database, books: Books, change: str, found: str
) -> None:
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, books.gateway)
    run(parts, "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert (reconciled(database, books.gateway).mismatches, audited(database, books.gateway).violations) == (
        [],
        [],
    )
    books.change(f"UPDATE payments SET {change}")

    (mismatch,) = reconciled(database, books.gateway).mismatches
    (answer,) = mismatch["gateways"]
    assert found in answer["found"]
    assert "1999" in answer["expected"]
    (violation,) = audited(database, books.gateway).violations
    assert violation.invariant == "I3"
    assert found in violation.summary

    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    job = job_of(database, payment_id)
    assert job["status"] == "review"
    assert job["result"]["agrees"] is False
    assert found in job["result"]["found"]
    assert "1999" in job["result"]["expected"]
    assert payment_of(database, payment_id).state is State.SUCCESS


@pytest.mark.parametrize("token", ["tok_drop", "tok_pending_60", "tok_3ds_60"])
@pytest.mark.parametrize(
    "change",
    [
        "amount = 19990, authorized = 19990, captured = 19990",
        "currency = 'EUR'",
        "captured = 1000",
        "captured = 19990",
    ],
)
def test_a_charge_of_other_money_is_not_taken_as_ours_and_goes_to_a_person_with_the_evidence(
    database: Database, books: Books, token: str, change: str
) -> None:
    method = {"type": "card", "token": token}
    payment_id = accept_one(database, payment_method=method).payment.id
    parts = pipeline(database, books.gateway)
    run(parts, "payments")
    charged = "status = 'succeeded', authorized = 1999, captured = 1999, due_at = NULL, due_status = NULL"
    books.change(f"UPDATE payments SET {charged}")
    books.change(f"UPDATE payments SET {change}")
    for _ in range(4):
        make_due(database)
        run(parts, "verify")
    payment = payment_of(database, payment_id)
    assert payment.state in (State.PROCESSING, State.REQUIRES_ACTION)
    assert payment.captured_minor == 0
    job = job_of(database, payment_id)
    assert job["status"] == "review"
    wrong = change.rpartition(" = ")[2].strip("'")
    assert wrong in job["reason"]
    assert "1999 USD" in job["reason"]


def test_a_token_that_has_expired_before_the_repeat_may_have_paid_by_the_lost_call(
    database: Database,
) -> None:
    expired = Declined("invalid_token", "91565")
    gateway = ScriptedGateway("a", answering(Unknown("reset"), expired), key_lifetime_s=0)
    gateway.able(pays_once=re.compile(".+"), pays_once_s=600.0)
    gateway.look_up = answering(NotFound(), Approved("ch_1", True, 1999, 0))
    payment_id = accept_one(database).payment.id
    run(pipeline(database, gateway), "payments")
    for _ in range(2):
        make_due(database)
        run(pipeline(database, gateway), "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert [(call["status"], call["sends"]) for call in attempts_of(database, payment_id)] == [
        ("APPROVED", 2)
    ]


def test_a_refused_charge_that_comes_about_with_other_money_is_told_to_a_person(
    database: Database, books: Books
) -> None:
    method = {"type": "card", "token": "tok_hard_lost_card"}
    payment_id = accept_one(database, payment_method=method).payment.id
    parts = pipeline(database, books.gateway)
    run(parts, "payments")
    assert payment_of(database, payment_id).state is State.FAILURE
    books.change(
        "UPDATE payments SET status = 'succeeded', error_code = '', amount = 19990, authorized = 19990, captured = 19990"
    )
    database.run(lambda tx: tx.exec_driver_sql("UPDATE attempts SET recheck_at = now()"))
    ladder_s = (900.0, 3600.0)
    assert recheck(RecheckParts(database, parts.gateways, NoHints(), ladder_s)) == {"asked": 1, "found": 1}
    run(parts, "verify")
    job = job_of(database, payment_id)
    assert (job["operation"], job["status"]) == ("sync", "review")
    assert "19990 USD" in job["reason"]
    (mismatch,) = reconciled(database, books.gateway).mismatches
    assert mismatch["gateways"][0]["expected"] == "no charge"


def test_a_charge_that_was_given_back_before_we_heard_of_it_is_no_success(database: Database) -> None:
    gateway = ScriptedGateway("a", lambda request: Unknown("reset"))
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    gateway.look_up = lambda query: Approved("ch_1", captured_minor=1999, refunded_minor=1999)
    run(parts, "payments")
    for _ in range(4):
        make_due(database)
        run(parts, "verify")
    assert payment_of(database, payment_id).state is State.PROCESSING
    assert job_of(database, payment_id)["status"] == "review"
    assert "given back" in job_of(database, payment_id)["reason"]


def test_a_partial_refund_at_the_gateway_leaves_the_charge_standing(database: Database) -> None:
    gateway = ScriptedGateway("a", lambda request: Unknown("reset"))
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    gateway.look_up = lambda query: Approved("ch_1", captured_minor=1999, refunded_minor=500)
    run(parts, "payments")
    make_due(database)
    run(parts, "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    (mismatch,) = reconciled(database, gateway).mismatches
    assert "500 refunded" in mismatch["gateways"][0]["found"]


def test_held_funds_that_were_captured_or_released_at_the_gateway_are_reported(database: Database) -> None:
    gateway = ScriptedGateway("a", lambda request: Approved("ch_1", captured=False, captured_minor=0))
    payment_id = accept_one(database, capture_method="manual").payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    assert payment_of(database, payment_id).state is State.AUTHORIZED
    gateway.look_up = lambda query: Approved("ch_1", captured=False, captured_minor=0, refunded_minor=0)
    assert reconciled(database, gateway).mismatches == []
    for now_says in (
        Approved("ch_1", captured_minor=1999, refunded_minor=0),
        Declined("generic_decline", "voided", "", "ch_1"),
    ):
        gateway.look_up = answering(now_says)
        assert [mismatch["state"] for mismatch in reconciled(database, gateway).mismatches] == ["AUTHORIZED"]
        assert [violation.invariant for violation in audited(database, gateway).violations] == ["I3"]
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "review"


def test_an_answer_about_another_payment_is_reported_and_never_followed(database: Database) -> None:
    gateway = ScriptedGateway("a")
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway)
    run(parts, "payments")
    gateway.look_up = lambda query: Unknown("an answer about something else", kind=UnknownKind.MISMATCH)
    (mismatch,) = reconciled(database, gateway).mismatches
    assert mismatch["gateways"][0]["found"] == "an answer about something else"
    request_sync(database, Owner("m_1", "test"), payment_id)
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "waiting", (
        "it says nothing about ours: it is asked again"
    )
    assert story_of(database, payment_id)[-1] == "SUCCEEDED"


class TestAChargeThatWasGivenBack:
    def given_back_by_hand(self, database: Database) -> tuple[str, Any, ScriptedGateway]:
        """A FAILURE payment with a late charge that the policy held and a person gave back at the gateway."""
        gateway = ScriptedGateway("a", lambda request: Declined("stolen_card", "43"))
        payment_id = accept_one(database).payment.id
        parts = pipeline(database, gateway)
        run(parts, "payments")
        gateway.look_up = lambda query: Approved("ch_late", captured_minor=1999, refunded_minor=0)
        database.run(
            lambda tx: tx.exec_driver_sql(
                "UPDATE attempts SET status = 'APPROVED', gateway_ref = 'ch_late',"
                ' outcome = \'{"captured": true, "duplicate": true, "before": "DECLINED"}\''
            )
        )
        gateway.look_up = lambda query: Approved("ch_late", captured_minor=1999, refunded_minor=1999)
        return payment_id, parts, gateway

    def test_is_no_charge_to_whoever_compares(self, database: Database) -> None:
        payment_id, parts, gateway = self.given_back_by_hand(database)
        assert reconciled(database, gateway).mismatches == []
        request_sync(database, Owner("m_1", "test"), payment_id)
        run(parts, "verify")
        assert [event.type for event in events_of(database, payment_id)][-1] == "PAYMENT_DUPLICATE_REVERSED"
        assert attempts_of(database, payment_id)[0]["outcome"]["given_back"] is True
        look_ups = len(gateway.look_ups)
        assert audited(database, gateway).violations == []
        assert reconciled(database, gateway).mismatches == []
        assert len(gateway.look_ups) == look_ups, "it is known to be gone, so nobody asks about it"


class TestAbsence:
    """`audit --gateways` cried over payments that the gateway's look-ups did not show yet."""

    def test_is_no_mismatch_before_its_time(self, database: Database, tmp_path: Path) -> None:
        with running_sandbox(tmp_path) as sandbox:
            sandbox.set_faults(status_lag_s=600)
            gateway = adapter(sandbox, absence_window_s=120)
            for number in range(3):
                accept_one(database, f"key-{number}")
            run(pipeline(database, gateway), "payments")
            report = audited(database, gateway)
            assert (report.compared, report.unanswered, report.violations) == (3, 3, [])
            result = reconciled(database, gateway)
            assert (result.found["unanswered"], result.mismatches) == (3, [])
            let_pass(database, 130)
            assert len(audited(database, gateway).violations) == 3
            assert len(reconciled(database, gateway).mismatches) == 3
            gateway.close_connections()

    @pytest.mark.parametrize("early", [NotFound(), Pending("ch_1")])
    def test_is_counted_from_the_last_time_that_the_call_was_sent(
        self, database: Database, early: Any
    ) -> None:
        gateway = ScriptedGateway("a")
        accept_one(database)
        run(pipeline(database, gateway), "payments")
        gateway.look_up = lambda query: early
        database.run(
            lambda tx: tx.exec_driver_sql("UPDATE attempts SET sends = 2, sent_at = sent_at - interval '1 h'")
        )
        assert audited(database, gateway).unanswered == 1
        database.run(
            lambda tx: tx.exec_driver_sql("UPDATE attempts SET answered_at = answered_at - interval '1 h'")
        )
        assert len(audited(database, gateway).violations) == 1

    def test_of_a_refused_charge_is_what_is_expected_at_once(self, database: Database) -> None:
        gateway = ScriptedGateway("a", lambda request: Declined("stolen_card", "43"))
        accept_one(database)
        run(pipeline(database, gateway), "payments")
        gateway.look_up = lambda query: NotFound()
        report = audited(database, gateway)
        assert (report.compared, report.unanswered, report.violations) == (1, 0, [])
