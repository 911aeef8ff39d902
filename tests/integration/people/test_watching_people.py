"""People as a monitor and `aegis doctor` see them: who can let others in, and what waits for a second person."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

import pytest
from support.console import a_user, recovery_code_of
from support.outbox_events import execute
from support.payments import accept_one

from aegis_worker.cli.checks import Check
from aegis_worker.cli.checks_people import people
from aegis_worker.ids import APPROVAL, new_id
from aegis_worker.persistence import approval_rows
from aegis_worker.persistence.api_keys import create_operator_key
from aegis_worker.persistence.database import Database
from aegis_worker.queries import people as numbers
from aegis_worker.queries.metrics import readings
from aegis_worker.queries.people import people_numbers
from aegis_worker.sealing.keys import SealingKey
from aegis_worker.sealing.ring import KeyRing

_numbers = count(1)
TWO = {"USD": 500}


@dataclass(frozen=True)
class Office:
    """Where people have accounts."""

    database: Database
    ring: KeyRing = field(default_factory=lambda: KeyRing((SealingKey("k1", b"k" * 32),)))

    def person(self, role: str, name: str, *, codes: bool = True) -> None:
        a_user(self, role, name)  # type: ignore[arg-type]
        if codes:
            recovery_code_of(self, name)

    def checks(self, above: Mapping[str, int] | None = TWO) -> dict[str, Check]:
        with self.database.read() as connection:
            return {check.name: check for check in people(connection, above)}

    def told(self) -> dict[str, float]:
        with self.database.read() as connection:
            found = people_numbers(connection)
        return {
            " ".join((reading.metric.name, *reading.labels)): reading.value
            for reading in readings(None, None, people=found)
        }


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def asked(database: Database, kind: str = "refund") -> str:
    number, id_ = next(_numbers), new_id(APPROVAL)
    payment_id = accept_one(database, f"key-{number}").payment.id
    row = {
        "id": id_,
        "kind": kind,
        "payment_id": payment_id,
        "payment_version": 1,
        "amount_minor": 1999,
        "currency": "USD",
        "request": {"reason": "the parcel never came"},
        "request_sha256": hashlib.sha256(str(number).encode()).digest(),
        "key": f"key-{number}",
        "asked_by": "console:ada",
    }
    assert database.run(lambda connection: approval_rows.ask(connection, row, 86_400.0))
    return id_


def test_without_accounts_doctor_says_how_to_make_one(office: Office) -> None:
    checks = office.checks(above=None)
    assert {check.verdict for check in checks.values()} == {"ok"}
    assert "aegis users add" in checks["console"].seen
    assert "rule of two people is off" in checks["approvals"].seen


def test_an_office_with_two_who_can_decide_is_fine(office: Office) -> None:
    office.person("admin", "ada")
    office.person("operator", "bo")
    checks = office.checks()
    assert (checks["console"].verdict, checks["approvals"].verdict) == ("ok", "ok")
    assert checks["console"].seen == "2 can log in, 1 of them as admin, each with an authenticator"


def test_without_an_admin_nobody_can_let_others_in(office: Office) -> None:
    office.person("operator", "bo")
    found = office.checks()["console"]
    assert found.verdict == "warn"
    assert "aegis users role" in found.advice


def test_whoever_is_without_recovery_codes_or_let_the_welcome_code_run_out_is_counted(office: Office) -> None:
    office.person("admin", "ada", codes=False)
    office.person("viewer", "cy")
    execute(
        office.database,
        "UPDATE console_users SET status = 'invited', password_hash = NULL, code_hash = 'x',"
        " code_until = now() - interval '1 h' WHERE name = 'cy'",
    )
    found = office.checks()["console"]
    assert found.verdict == "warn"
    assert "1 let their welcome code run out, 1 have no recovery code left" in found.seen


def test_the_rule_of_two_people_needs_two_of_them(office: Office) -> None:
    office.person("admin", "ada")
    assert office.checks()["approvals"].verdict == "warn"
    create_operator_key(office.database, "night")
    assert office.checks()["approvals"].verdict == "ok"


def test_what_waits_for_a_second_person_is_told_with_its_age(office: Office) -> None:
    office.person("admin", "ada")
    office.person("operator", "bo")
    asked(office.database)
    execute(office.database, "ALTER TABLE approvals DISABLE TRIGGER USER")
    execute(office.database, "UPDATE approvals SET asked_at = now() - interval '5 h'")
    asked(office.database, "resolution")
    found = office.checks()["approvals"]
    assert (found.verdict, found.seen) == ("warn", "2 wait for a second person, the oldest for 5 h")
    told = office.told()
    assert told["aegis_approvals_waiting refund"] == told["aegis_approvals_waiting resolution"] == 1
    assert 5 * 3600 <= told["aegis_approvals_oldest_age_seconds refund"] < 6 * 3600
    assert told["aegis_console_users admin active"] == told["aegis_console_users operator active"] == 1
    assert told["aegis_console_users viewer disabled"] == 0


def test_what_was_approved_and_nobody_carries_out_is_a_failure(office: Office) -> None:
    id_ = asked(office.database)
    office.database.run(
        lambda connection: approval_rows.decide(
            connection, id_, "approved", by="console:bo", because="I have seen it"
        )
    )
    execute(office.database, "ALTER TABLE approvals DISABLE TRIGGER approvals_move_on")
    execute(office.database, "UPDATE approvals SET decided_at = now() - interval '20 min'")
    found = office.checks()["approvals"]
    assert found.verdict == "fail"
    assert "20 min" in found.seen
    assert "aegis approvals list --status approved" in found.advice
    assert office.told()["aegis_approvals_waiting refund"] == 0


def test_what_waits_is_counted_by_an_index(database: Database) -> None:
    with database.read() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {numbers._APPROVALS}", {"most": 10}).scalars())
    assert "approvals_due" in plan
    assert "Seq Scan" not in plan, plan
