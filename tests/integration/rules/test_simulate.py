"""Rules tried on the payments of a small installation: over HTTP and from a shell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.api_client import Api, codes, start_api
from support.command_line import Aegis, aegis, install
from support.documented_answers import follows
from support.payments import pipeline
from support.rule_inputs import a_rule, amount, rules, velocity
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Approved, Declined, Outcome
from aegis_worker.domain.screening import Action
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.pipeline.run import run
from aegis_worker.queries import rules_simulation
from aegis_worker.queries.past_payments import newest
from aegis_worker.queries.rules_simulation import simulate_rules
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.terminal.installation import cli_actor

__all__ = ["aegis"]

DRAFT = {
    "card_testing": {"cards_per_ip": 2, "window": "1h"},
    "rules": [a_rule(amount("gt", 1999), id="large", action="review")],
}
TOML = """
[card_testing]
cards_per_ip = 2
[[rules]]
id = "large"
action = "review"
conditions = [{ field = "amount", operator = "gt", value = 1999 }]
"""


def answer(request: GatewayRequest) -> Outcome:
    return (
        Declined("stolen_card", "x")
        if request.amount.minor == 2000
        else Approved(f"ch_{request.idempotency_key}")
    )


@pytest.fixture
def api(database_url: str) -> Api:
    """Four payments of four cards from one address, of 1000 to 4000; the one of 2000 was declined. A fifth waits."""
    gateway = ScriptedGateway("sandbox_a", answer)
    api = start_api(database_url, gateway)
    shop = api.merchant()
    for number in range(1, 5):
        shop.accepted(
            amount=number * 1000,
            payment_method={"type": "card", "token": f"tok_{number}"},
            payer={"ip": "203.0.113.7"},
        )
    run(pipeline(api.database, gateway), "payments")
    shop.accepted(amount=5)
    return api


def test_a_draft_is_tried_over_http(api: Api) -> None:
    operator = api.operator()
    tried = operator.post("/v1/rules/simulate", json={"config": DRAFT})
    assert tried.status_code == 200, tried.text
    follows(operator.get("/openapi.json").json, "/v1/rules/simulate", "post", tried)
    body = tried.json
    found = {one["rule"]: (one["payments"], one["succeeded"], one["failed"]) for one in body["rules"]}
    assert found == {"card_testing.cards_per_ip": (2, 2, 0), "large": (3, 2, 1)}
    held = {one["action"]: one["payments"] for one in body["actions"]}
    assert held == {"block": 2, "review": 1, "require_three_ds": 0, "flag": 0, "allow": 2}
    assert body["changed"] == [
        {"from": None, "to": "block", "payments": 2},
        {"from": None, "to": "review", "payments": 1},
    ]
    assert body["actions"][0]["amounts"] == [{"currency": "USD", "minor": 7000}]
    assert len(body["assumptions"]) > 3


def test_without_a_draft_what_holds_now_is_tried(api: Api) -> None:
    operator = api.operator()
    assert operator.post("/v1/rules/simulate", json={}).json["rules"] == []
    operator.open("/v1/rules", method="PUT", json={"config": DRAFT, "reason": "a wave of stolen cards"})
    assert len(operator.post("/v1/rules/simulate", json={}).json["rules"]) == 2


def test_as_many_as_wanted_of_the_newest_in_the_time_given(api: Api) -> None:
    operator = api.operator()
    newest_three = operator.post("/v1/rules/simulate", json={"config": DRAFT, "limit": 3}).json
    assert (newest_three["payments"], newest_three["rules"][0]["payments"]) == (3, 0)
    span = newest(api.database, since=datetime.now(UTC) - timedelta(days=1), limit=100)
    cut = simulate_rules(api.database, span, RulesConfig(), budget_s=0)
    assert (cut.complete, cut.simulation.payments) == (False, 0)


def test_pages_hold_each_payment_once_and_the_oldest_comes_first(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules_simulation, "_PAGE", 2)
    span = newest(api.database, since=datetime.now(UTC) - timedelta(days=1), limit=100)
    replayed: list[int] = []
    config = rules(a_rule(velocity("merchant.count", 4), id="fifth"))
    simulated = simulate_rules(api.database, span, config, replayed=replayed.append).simulation
    assert (simulated.payments, replayed) == (5, [2, 2, 1])
    assert simulated.actions[Action.BLOCK].amounts == {"USD": 5}


def test_declines_of_the_past_count_for_the_payments_after_them(api: Api) -> None:
    shop = api.merchant()
    shop.accepted(amount=6, payer={"ip": "203.0.113.7"})
    span = newest(api.database, since=datetime.now(UTC) - timedelta(days=1), limit=100)
    config = rules(a_rule(velocity("ip.declines", 0), id="any"))
    simulated = simulate_rules(api.database, span, config).simulation
    # The four of the fixture were accepted before any of them was declined.
    assert simulated.actions[Action.BLOCK].amounts == {"USD": 6}


def test_a_wrong_draft_is_refused_with_pointers(api: Api) -> None:
    refused = api.operator().post("/v1/rules/simulate", json={"config": {"rules": [{}]}})
    assert refused.status_code == 422
    assert ("/config/rules/0/id", "invalid_rules") in codes(refused)


def test_rules_are_read_and_changed_over_http(api: Api) -> None:
    operator = api.operator("night")
    document = operator.get("/openapi.json").json
    shown = operator.get("/v1/rules")
    follows(document, "/v1/rules", "get", shown)
    assert (shown.json["version"], shown.json["source"], shown.headers["ETag"]) == (0, "file", '"0"')
    body = {"config": DRAFT, "reason": "a wave of stolen cards"}
    changed = operator.open("/v1/rules", method="PUT", json=body, headers={"If-Match": '"0"'})
    follows(document, "/v1/rules", "put", changed)
    assert (changed.json["version"], changed.json["source"]) == (1, "put")
    assert operator.get("/v1/rules").json == changed.json
    slower = operator.open("/v1/rules", method="PUT", json=body | {"config": {}}, headers={"If-Match": '"0"'})
    assert (slower.status_code, slower.json["code"]) == (412, "version_conflict")
    refused = operator.open(
        "/v1/rules", method="PUT", json=body | {"config": {"high_value": {"above": {"USD": "x"}}}}
    )
    follows(document, "/v1/rules", "put", refused)
    assert codes(refused) == [("/config/high_value/above/USD", "invalid_rules")]
    operator.open("/v1/rules", method="PUT", json={"source": "file", "reason": "the wave is over"})
    listed = operator.get("/v1/rules/versions?limit=1")
    follows(document, "/v1/rules/versions", "get", listed)
    assert [(one["version"], one["source"]) for one in listed.json["data"]] == [(2, "file")]
    assert listed.json["next_cursor"] == "2"
    assert api.merchant().get("/v1/rules").status_code == 403


def test_from_a_shell_rules_are_checked_tried_applied_and_taken_back(
    api: Api, monkeypatch: pytest.MonkeyPatch, database_url: str, aegis: Aegis, tmp_path: Path
) -> None:
    install(monkeypatch, database_url)
    draft = tmp_path / "draft.toml"
    draft.write_text(TOML)
    assert "card_testing.cards_per_ip" in aegis("rules", "check", str(draft)).out
    tried = aegis("rules", "simulate", str(draft), "--since", "7d")
    assert "would have held" in tried.out
    assert "70.00 USD" in tried.out
    assert "Counters begin empty" in tried.err
    assert aegis("rules", "simulate", str(draft), "--json").json["payments"] == 5
    applied = aegis("rules", "apply", str(draft), "--reason", "a wave of stolen cards", "--json").json
    assert (applied["version"], applied["actor"]) == (1, cli_actor())
    assert "large" in aegis("rules", "show").out
    assert aegis("rules", "show", "--json").json == applied
    back = aegis("rules", "apply", "--back-to-file", "--reason", "the wave is over")
    assert "aegis rules apply --version 1 --reason" in back.err
    assert "the wave is over" in aegis("rules", "history").out
    assert [one["version"] for one in aegis("rules", "history", "--json").json] == [2, 1]
    assert aegis("rules", "apply", "--version", "1", "--reason", "it is back", "--json").json["version"] == 3
    assert aegis("rules", "apply", "--version", "9", "--reason", "it is back").exit_code != 0


def test_from_a_shell_a_wrong_file_is_told_with_its_lines(
    monkeypatch: pytest.MonkeyPatch, database_url: str, aegis: Aegis, tmp_path: Path
) -> None:
    install(monkeypatch, database_url)
    draft = tmp_path / "draft.toml"
    draft.write_text(TOML.replace('"gt"', '"above"').replace("= 2", '= "two"'))
    ran = aegis("rules", "check", str(draft))
    assert ran.exit_code == 1
    assert 'unknown operator "above"' in ran.out
    problems = aegis("rules", "check", str(draft), "--json").json["problems"]
    assert {(one["pointer"], one["line"]) for one in problems} == {
        ("/card_testing/cards_per_ip", 3),
        ("/rules/0/conditions/0/operator", 7),
    }
    refused = aegis("rules", "apply", str(draft), "--reason", "a wave of stolen cards")
    assert f"{draft}:7: rules[0]" in refused.err
