"""`aegis audit` and `aegis replay`: what they say, and the code they exit with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.command_line import Aegis, aegis, install
from support.payments import accept_one, pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.moments import readable
from aegis_worker.ids import made_at
from aegis_worker.persistence.database import Database

__all__ = ["aegis"]


@pytest.fixture(autouse=True)
def installation(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    install(monkeypatch, database_url, AEGIS_SANDBOX_A_URL="http://127.0.0.1:1")


def charged(database: Database, key: str = "key-1") -> str:
    payment_id = accept_one(database, key).payment.id
    run_until_quiet(pipeline(database, ScriptedGateway("sandbox_a")))
    return payment_id


def test_a_healthy_installation_exits_with_0_and_says_how_far_it_looked(
    aegis: Aegis, database: Database
) -> None:
    ids = [charged(database, f"k{number}") for number in range(3)]
    ran = aegis("audit", "--batch", "2", "--json")
    assert ran.exit_code == 0
    assert (ran.json["payments"], ran.json["keys"], ran.json["violations"]) == (3, 3, [])
    assert (ran.json["first_id"], ran.json["last_id"]) == (ids[0], ids[2])
    shown = aegis("audit").out
    assert ids[0] in shown
    assert f"{readable(made_at(ids[2]))} UTC" in shown


def test_what_is_wrong_is_shown_with_its_evidence_and_exits_with_1(
    aegis: Aegis, database: Database, break_in
) -> None:
    payment_id = charged(database)
    break_in("UPDATE payments SET captured_minor = 999")
    ran = aegis("audit", "--all")
    assert ran.exit_code == 1
    assert "row and events differ in captured_minor" in ran.out
    assert '"row": 999' in ran.out
    assert "aegis replay" in ran.err
    again = aegis("audit", "--all", "--json").json
    assert (again["frozen"], again["opened"]) == ([payment_id], 0)
    assert again["violations"][0]["evidence"] == {
        "differences": {"captured_minor": {"row": 999, "events": 1999}}
    }


def test_only_what_was_accepted_since_is_looked_at(aegis: Aegis, database: Database) -> None:
    charged(database)
    now = datetime.now(UTC).isoformat()
    assert aegis("audit", "--since", now, "--json").json["payments"] == 0
    assert aegis("audit", "--since", "1h", "--json").json["payments"] == 1


def test_gateways_that_cannot_be_reached_are_told_and_are_no_violation(
    aegis: Aegis, database: Database
) -> None:
    charged(database)
    ran = aegis("audit", "--gateways", "--json")
    assert (ran.exit_code, ran.json["compared"], ran.json["unanswered"]) == (0, 1, 1)


def test_since_and_all_contradict_each_other(aegis: Aegis) -> None:
    assert aegis("audit", "--since", "1h", "--all").exit_code == 2


def test_a_payment_that_is_the_fold_of_its_events(aegis: Aegis, database: Database) -> None:
    payment_id = charged(database)
    ran = aegis("replay", payment_id, "--json")
    assert (ran.exit_code, ran.json["differences"], ran.json["error"]) == (0, [], None)
    assert ran.json["folded"] == ran.json["row"]
    shown = aegis("replay", payment_id).out
    assert [state for state in ("INITIATED", "PROCESSING", "SUCCESS") if state in shown] == [
        "INITIATED",
        "PROCESSING",
        "SUCCESS",
    ]


def test_where_row_and_events_differ_it_exits_with_1(aegis: Aegis, database: Database, break_in) -> None:
    payment_id = charged(database)
    break_in("UPDATE payments SET captured_minor = 999")
    ran = aegis("replay", payment_id)
    assert ran.exit_code == 1
    assert [line.split() for line in ran.out.splitlines() if "captured" in line] == [
        ["captured_minor", "999", "1999"]
    ]
    assert aegis("replay", payment_id, "--json").json["differences"][0]["invariant"] == "I4"


def test_an_impossible_history_is_shown_up_to_where_it_breaks(
    aegis: Aegis, database: Database, break_in
) -> None:
    payment_id = charged(database)
    break_in("UPDATE payment_events SET type = 'PAYMENT_INITIATED' WHERE seq = 3")
    ran = aegis("replay", payment_id, "--json")
    assert (ran.exit_code, ran.json["events"]) == (1, 2)
    assert "PAYMENT_INITIATED as event 3" in ran.json["error"]


def test_a_wrong_snapshot_is_found_from_the_start(aegis: Aegis, database: Database, break_in) -> None:
    payment_id = charged(database)
    break_in(f"INSERT INTO payment_snapshots VALUES ('{payment_id}', 2, '{{}}', now())")
    ran = aegis("replay", payment_id)
    assert ran.exit_code == 1
    assert "a snapshot is not the fold of the events before it" in ran.err


def test_as_of_a_time(aegis: Aegis, database: Database, break_in) -> None:
    payment_id = charged(database)
    break_in("UPDATE payment_events SET at = now() - interval '1 h' WHERE seq < 3")
    half_an_hour_ago = (datetime.now(UTC) - timedelta(minutes=30)).isoformat()
    assert (
        aegis("replay", payment_id, "--as-of", half_an_hour_ago, "--json").json["payment"]["state"]
        == "PROCESSING"
    )
    assert "PROCESSING" in aegis("replay", payment_id, "--as-of", "30m").out
    before = aegis("replay", payment_id, "--as-of", "2h")
    assert (before.exit_code, before.out) == (0, "")
    assert "did not exist yet" in before.err


def test_a_payment_that_is_not_there(aegis: Aegis) -> None:
    assert aegis("replay", "pay_0").exit_code == 3
    assert aegis("replay", "pay_0", "--as-of", "1h").exit_code == 3
