"""`aegis routing` and the pausing of gateways, on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import Aegis, aegis, install

from aegis_worker.terminal.installation import cli_actor

__all__ = ["aegis"]

WHY = ("--reason", "the new contract begins today")
DRAFT = """
strategy = "WEIGHTED"
fallback = ["sandbox_b", "sandbox_a"]
[shares]
sandbox_a = 1
sandbox_b = 3
"""


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    install(monkeypatch, database_url)


@pytest.fixture
def draft(tmp_path: Path) -> str:
    path = tmp_path / "draft.toml"
    path.write_text(DRAFT)
    return str(path)


def test_a_file_is_checked_with_every_wrong_value(aegis: Aegis, draft: str) -> None:
    assert aegis("routing", "check", draft).exit_code == 0
    assert aegis("routing", "check", draft, "--json").json["ok"]
    wrong = DRAFT.replace("sandbox_b = 3", "sandbox_c = 3").replace("WEIGHTED", "GUESS")
    Path(draft).write_text(wrong)
    ran = aegis("routing", "check", draft)
    assert ran.exit_code == 1
    assert "shares.sandbox_c" in ran.out
    assert "unknown strategy" in ran.out
    pointers = [problem["pointer"] for problem in aegis("routing", "check", draft, "--json").json["problems"]]
    assert sorted(pointers) == ["/shares/sandbox_c", "/strategy"]


@pytest.mark.parametrize("text", ["strategy = ", '{"strategy": "WEIGHTED"}', "\x00"])
def test_a_file_that_is_no_toml_is_one_line(aegis: Aegis, draft: str, text: str) -> None:
    Path(draft).write_text(text)
    for arguments in (("check", draft), ("apply", draft, *WHY), ("check", draft + "x")):
        ran = aegis("routing", *arguments)
        assert ran.exit_code == (3 if arguments[1].endswith("x") else 2)
        assert ran.err.startswith(f"aegis: {draft}")


def test_json_is_taken_where_the_name_says_so(aegis: Aegis, tmp_path: Path) -> None:
    path = tmp_path / "draft.json"
    path.write_text('{"strategy": "COST_OPTIMIZED"}')
    assert aegis("routing", "apply", str(path), *WHY, "--json").json["config"]["strategy"] == "COST_OPTIMIZED"
    path.write_text("[]")
    assert aegis("routing", "check", str(path)).exit_code == 2


def test_a_configuration_is_applied_shown_and_taken_back(aegis: Aegis, draft: str) -> None:
    assert "RULE_BASED" in aegis("routing", "show").out
    applied = aegis("routing", "apply", draft, *WHY, "--if-version", "0", "--json").json
    assert (applied["version"], applied["source"], applied["actor"]) == (1, "put", cli_actor())
    shown = aegis("routing", "show")
    assert "WEIGHTED" in shown.out
    assert "the new contract begins today" in shown.out
    assert aegis("routing", "show", "--json").json == applied
    assert "nothing was written" in aegis("routing", "apply", draft, *WHY).err
    back = aegis("routing", "apply", "--back-to-file", "--reason", "the experiment is over")
    assert "version  2" in back.out
    assert "aegis routing apply --version 1 --reason" in back.err
    assert aegis("routing", "show", "--json").json["source"] == "file"
    again = aegis("routing", "apply", "--version", "1", "--reason", "and yet", "--json").json
    assert (again["version"], again["config"]) == (3, applied["config"])
    file_again = aegis("routing", "apply", "--version", "2", "--reason", "after all not", "--json").json
    assert (file_again["version"], file_again["source"]) == (4, "file")
    listed = aegis("routing", "history").out
    assert "config/routing.toml" in listed
    assert "and yet" in listed
    assert [one["version"] for one in aegis("routing", "history", "--json").json] == [4, 3, 2, 1]
    assert "version" not in aegis("routing", "history", "--limit", "1").err
    assert "routing.changed" in aegis("audit-log").out


def test_what_can_not_be_applied_is_one_line(aegis: Aegis, draft: str) -> None:
    moved = aegis("routing", "apply", draft, *WHY, "--if-version", "7")
    assert (moved.exit_code, moved.err) == (3, "aegis: Version 0 holds now: look at it, and decide again.\n")
    assert "no routing version 9" in aegis("routing", "apply", "--version", "9", *WHY).err
    assert "say why" in aegis("routing", "apply", draft, "--reason", "no").err
    Path(draft).write_text('strategy = "GUESS"')
    wrong = aegis("routing", "apply", draft, *WHY)
    assert wrong.exit_code == 3
    assert f"{draft}:1: strategy: unknown strategy" in wrong.err
    assert aegis("routing", "history", "--json").json == []


@pytest.mark.parametrize(
    ("name", "text", "exit_code", "said"),
    [
        ("deep.json", '{"a":' * 30_000 + "1" + "}" * 30_000, 2, "is nested deeper than 16 levels"),
        ("deep.toml", "a=" + "[" * 5_000 + "]" * 5_000, 3, "nests its values too deeply"),
        ("long.toml", ".".join("a" * 200_000) + " = 1", 3, "is longer than"),
    ],
)
def test_a_file_that_would_keep_the_parser_busy_is_refused_in_one_line(
    aegis: Aegis, tmp_path: Path, name: str, text: str, exit_code: int, said: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    ran = aegis("routing", "check", str(path))
    assert ran.exit_code == exit_code
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_card_number_is_not_stored(aegis: Aegis, draft: str) -> None:
    Path(draft).write_text('[ab_test]\nexperiment = "4111 1111 1111 1111"\n')
    ran = aegis("routing", "apply", draft, *WHY)
    assert (ran.exit_code, ran.err) == (3, f"aegis: {draft}: holds a card number, at /ab_test/experiment\n")


@pytest.mark.parametrize(
    "arguments", [(), ("--version", "1", "--back-to-file"), ("x.toml", "--version", "1")]
)
def test_one_thing_is_applied(aegis: Aegis, arguments: tuple[str, ...]) -> None:
    assert aegis("routing", "apply", *arguments, *WHY).exit_code == 2


def test_a_configuration_that_can_not_be_used_here_is_told(
    aegis: Aegis, draft: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aegis("routing", "apply", draft, *WHY)
    (tmp_path / "gateways.toml").write_text('[gateways.sandbox_a]\nadapter = "null"\n')
    monkeypatch.setenv("AEGIS_CONFIG_DIR", str(tmp_path))
    shown = aegis("routing", "show")
    assert shown.exit_code == 1
    assert "can't be used" in shown.out


def test_a_gateway_is_paused_and_resumed(aegis: Aegis) -> None:
    paused = aegis("gateways", "pause", "sandbox_a", "--reason", "their maintenance window", "--json")
    assert paused.json == {
        "object": "gateway_pause",
        "gateway": "sandbox_a",
        "paused": True,
        "changed": True,
    }
    again = aegis("gateways", "pause", "sandbox_a", "--reason", "their maintenance window")
    assert (again.exit_code, again.err) == (0, "It was so already; nothing was written.\n")
    assert aegis("gateways", "resume", "sandbox_a", "--json").json["paused"] is False
    log = aegis("audit-log", "--json").json
    assert [entry["action"] for entry in log] == ["gateway.resumed", "gateway.paused"]
    assert aegis("gateways", "pause", "sandbox_c", "--reason", "no such").exit_code == 3
    assert aegis("gateways", "resume", "sandbox_c").exit_code == 3
    assert aegis("gateways", "pause", "sandbox_a").exit_code == 2
