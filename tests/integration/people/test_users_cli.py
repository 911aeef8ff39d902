"""`aegis users` and `aegis approvals`: who may use the console, and the rule of two people at a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from support.api_client import CHARGED, Api, start_api
from support.command_line import Aegis, aegis, install
from support.console import signed_in
from support.payments import rows
from support.scripted_gateway import ScriptedGateway

from aegis_worker.console_settings import ConsoleSettings
from aegis_worker.domain.outcomes import Approved

__all__ = ["aegis"]


@pytest.fixture
def api(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Api:
    install(monkeypatch, database_url, AEGIS_TWO_PERSON_ABOVE="USD:500")
    gateway = ScriptedGateway("sandbox_a", lambda request: Approved("ch_1"))
    return start_api(database_url, gateway, console=ConsoleSettings("", (), {"USD": 500}))


def shown(aegis: Aegis, *arguments: str) -> Any:
    ran = aegis(*arguments, "--json")
    assert ran.exit_code == 0, ran
    return ran.json


def test_users_are_added_listed_changed_and_kept_out(aegis: Aegis, api: Api) -> None:
    added = shown(aegis, "users", "add", "ada", "--role", "admin")
    assert added["page"].endswith("/console/welcome")
    assert len(added["code"]) == 29
    assert [one["status"] for one in shown(aegis, "users", "list")] == ["invited"]
    why = ("--reason", "moved to the night shift")
    assert shown(aegis, "users", "role", "ada", "operator", *why)["changed"]
    assert not shown(aegis, "users", "role", "ada", "operator", *why)["changed"]
    assert shown(aegis, "users", "reset-totp", "ada", *why)["code"] != added["code"]
    assert shown(aegis, "users", "disable", "ada", *why)["changed"]
    assert aegis("users", "add", "ada", "--role", "viewer").exit_code == 3
    assert aegis("users", "add", "Ada", "--role", "viewer").exit_code == 3
    assert aegis("users", "role", "bob", "viewer", *why).exit_code == 3
    actions = [row["action"] for row in rows(api.database, "SELECT action FROM audit_log ORDER BY seq")]
    assert actions == ["user.added", "user.role", "user.reset", "user.disabled"]


def test_sessions_are_listed_and_ended(aegis: Aegis, api: Api) -> None:
    browser = signed_in(api)
    (session,) = shown(aegis, "users", "sessions")
    assert (session["name"], session["address"]) == ("ada", "127.0.0.1")
    assert aegis("users", "sessions", "--end", session["id"]).exit_code == 3  # without a reason
    assert browser.get("/console/account").status_code == 200
    why = ("--reason", "left open")
    assert shown(aegis, "users", "sessions", "--end", session["id"], *why)["changed"]
    assert browser.get("/console/account").status_code == 303
    assert shown(aegis, "users", "sessions", "--of", "ada") == []


def test_at_a_terminal_nobody_approves_what_they_asked_for_whatever_name_they_take(
    aegis: Aegis, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = api.merchant().accepted()
    api.database.run(
        lambda tx: tx.exec_driver_sql("UPDATE jobs SET status = 'review', reason = 'for a test'")
    )
    decided = shown(aegis, "resolve", payment["id"], "--not-charged", "--reason", "no such charge")
    assert (decided["object"], decided["status"]) == ("approval", "asked")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")
    digest, yes = decided["request_sha256"], ("--reason", "I have seen it")
    refused = aegis("approvals", "approve", decided["id"], "--seen", digest, *yes)
    assert refused.exit_code == 3
    assert "second person" in refused.err
    assert shown(aegis, "approvals", "list", "--status", "asked")[0]["id"] == decided["id"]
    assert shown(aegis, "approvals", "show", decided["id"])["request"]["kind"] == "not_charged"
    assert shown(aegis, "approvals", "refuse", decided["id"], *yes)["status"] == "refused"


def test_at_a_terminal_another_person_approves_what_a_key_asked_for(aegis: Aegis, api: Api) -> None:
    payment = api.merchant().accepted()
    api.settle(*CHARGED)
    asked = api.operator().post(
        f"/v1/ops/payments/{payment['id']}/refunds",
        json={"amount": 900, "reason": "the goods never arrived"},
        headers={"Idempotency-Key": "refund-1"},
    )
    approval = asked.json["approval"]
    digest = approval["request_sha256"]
    done = aegis("approvals", "approve", approval["id"], "--seen", digest, "--reason", "seen", "--json")
    # The gateway of this payment is one of the installation's.
    assert (done.exit_code, done.json["status"]) == (0, "carried_out")
