"""Refusals of `aegis resolve`: each says what was found, in the command's own options, and what to do next."""

from __future__ import annotations

import re

import pytest
from support.command_line import Aegis, aegis, install
from support.payments import accept_one, pipeline
from support.reviews import DOWN, doubtful, held_back, in_review
from support.scripted_gateway import ScriptedGateway

from aegis_worker.cli import decision_options, resolve
from aegis_worker.domain.outcomes import Approved, Declined, Lookup, NotFound, Pending, Unknown, UnknownKind
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run

__all__ = ["aegis"]

OTHERS = Unknown("an answer about something else: it shows pay_2-p1", kind=UnknownKind.MISMATCH)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, database_url: str) -> ScriptedGateway:
    install(monkeypatch, database_url)
    gateway = doubtful()
    monkeypatch.setattr(resolve, "configured_gateways", lambda *_: {"a": gateway})
    return gateway


def refusal(aegis: Aegis, payment_id: str, *options: str) -> str:
    ran = aegis("resolve", payment_id, "--reason", "settlement report", *options)
    assert (ran.exit_code, ran.out) == (3, "")
    assert ran.err.count("\n") == 1
    assert not re.search(r"gateway_ref|not_charged|ask_again|`(evidence|force|attempt|gateway)`", ran.err), (
        ran.err
    )
    return ran.err


@pytest.mark.parametrize(
    ("says", "options", "found", "to_do"),
    [
        (DOWN, ["--not-charged"], "status is down", ["--evidence", "--ask-again"]),
        (DOWN, ["--not-charged", "--force"], "status is down", ["--evidence", "--ask-again"]),
        (DOWN, ["--charged", "--evidence", "case 1"], "does not tell its id", ["--gateway-ref"]),
        (DOWN, ["--charged", "--attempt", "7"], "a (attempt 1)", ["--gateway", "--attempt"]),
        (DOWN, ["--not-charged", "--evidence", "x"], "printable", ["--evidence"]),
        (OTHERS, ["--charged", "--gateway-ref", "ch_9"], "pay_2-p1", ["--gateway-ref", "--attempt"]),
        (NotFound(), ["--charged", "--gateway-ref", "ch_9"], "NotFound", ["--not-charged", "--force"]),
        (
            Approved("ch_1"),
            ["--charged", "--gateway-ref", "ch_9"],
            "its reference ch_1",
            ["--gateway-ref ch_1"],
        ),
        (Approved("ch_1"), ["--not-charged"], "its reference ch_1", ["--charged"]),
        (Declined("stolen_card", "43"), ["--charged"], "stolen_card", ["--not-charged"]),
        (Pending("ch_1"), ["--not-charged"], "Pending", ["--ask-again"]),
        (DOWN, ["--rebuild"], "froze", ["--charged, --not-charged, --ask-again"]),
        (DOWN, ["--withdraw"], "no decision", ["--charged, --not-charged, --ask-again"]),
        (DOWN, ["--not-charged", "--version", "1"], "moved", ["aegis status", "--version"]),
    ],
)
def test_a_refusal_names_what_was_found_the_commands_own_options_and_the_next_step(
    database: Database,
    gateway: ScriptedGateway,
    aegis: Aegis,
    says: Lookup,
    options: list[str],
    found: str,
    to_do: list[str],
) -> None:
    payment_id = in_review(database, gateway)
    gateway.look_up = lambda query: says
    told = refusal(aegis, payment_id, *options)
    assert found in told
    assert [step for step in to_do if step not in told] == []


def test_a_refusal_for_a_reason_that_can_not_be_kept_names_the_option(
    database: Database, gateway: ScriptedGateway, aegis: Aegis
) -> None:
    ran = aegis("resolve", in_review(database, gateway), "--not-charged", "--reason", "no")
    assert ran.exit_code == 3
    assert "--reason" in ran.err


def test_what_was_held_back_is_listed_with_what_was_said_of_it_and_approved_or_rejected(
    database: Database, gateway: ScriptedGateway, aegis: Aegis
) -> None:
    held = [held_back(database, key=key) for key in ("key-1", "key-2")]
    doubt = in_review(database, gateway, key="key-3")
    asked_before = len(gateway.look_ups)
    listed = aegis("reviews", "--kind", "fraud", "--json").json["data"]
    assert [review["payment_id"] for review in listed] == held
    assert aegis("reviews", "--kind", "doubt", "--json").json["data"][0]["payment_id"] == doubt
    shown = aegis("reviews", "--kind", "fraud").out
    assert re.search("hook.*shop:fraud.*says.*review.*score.*90.*on.*our.*list", shown, re.DOTALL)
    decided = aegis("resolve", held[0], "--approve", "--reason", "called back", "--json").json
    assert (decided["resolution"], decided["state"], decided["gateways_say"]) == ("approve", "INITIATED", [])
    assert aegis("resolve", held[1], "--reject", "--reason", "stolen", "--json").json["state"] == "FAILURE"
    assert "--charged, --not-charged, --ask-again" in refusal(aegis, doubt, "--approve")
    assert len(gateway.look_ups) == asked_before


def test_a_decision_of_the_other_kind_names_those_that_are_taken(
    database: Database, gateway: ScriptedGateway, aegis: Aegis
) -> None:
    told = refusal(aegis, held_back(database), "--not-charged", "--evidence", "case 0815", "--force")
    assert "it takes --approve, --reject" in told


def test_a_payment_that_waits_for_nobody_is_explained_elsewhere(
    database: Database, gateway: ScriptedGateway, aegis: Aegis
) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, ScriptedGateway("a")), "payments")
    assert f"aegis explain {payment_id}" in refusal(aegis, payment_id, "--not-charged")
    assert "aegis reviews" in refusal(aegis, "pay_" + "0" * 32, "--not-charged")


def test_a_frozen_payment_is_to_be_rebuilt(
    database: Database, gateway: ScriptedGateway, aegis: Aegis
) -> None:
    payment_id = in_review(database, gateway)
    database.run(lambda tx: tx.exec_driver_sql("UPDATE payments SET frozen_at = now()"))
    told = refusal(aegis, payment_id, "--charged")
    assert "it takes --rebuild" in told


def test_every_option_that_a_refusal_may_name_is_one_of_the_command() -> None:
    options = {option for parameter in resolve.command.params for option in parameter.opts}
    assert {decision_options._option(name) for name in decision_options._OPTIONS} <= options
