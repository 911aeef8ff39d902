"""`aegis rules`: its versions are those of routing, in its own words."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import Aegis, aegis, install

from aegis_worker.terminal.installation import cli_actor

__all__ = ["aegis"]

WHY = ("--reason", "a wave of stolen cards")
DRAFT = """
[[rules]]
id = "large"
action = "review"
conditions = [{ field = "amount", operator = "gt", value = 1000 }]
"""


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    install(monkeypatch, database_url)


@pytest.fixture
def draft(tmp_path: Path) -> str:
    path = tmp_path / "draft.toml"
    path.write_text(DRAFT)
    return str(path)


def test_a_file_is_checked_with_the_line_of_every_wrong_value(aegis: Aegis, draft: str) -> None:
    assert "Nothing is wrong" in aegis("rules", "check", draft).out
    Path(draft).write_text(DRAFT.replace("review", "shrug").replace('"gt"', '"above"'))
    ran = aegis("rules", "check", draft, "--json")
    assert ran.exit_code == 1
    assert [(one["pointer"], one["line"]) for one in ran.json["problems"]] == [
        ("/rules/0/action", 4),
        ("/rules/0/conditions/0/operator", 5),
    ]
    refused = aegis("rules", "apply", draft, *WHY)
    assert refused.exit_code == 3
    assert f'{draft}:4: rules[0] (id "large").action: ' in refused.err


def test_rules_are_applied_shown_listed_and_taken_back(aegis: Aegis, draft: str) -> None:
    applied = aegis("rules", "apply", draft, *WHY, "--json").json
    assert (applied["object"], applied["version"], applied["actor"]) == ("rules", 1, cli_actor())
    assert aegis("rules", "show", "--json").json == applied
    assert "They held already" in aegis("rules", "apply", draft, *WHY).err
    assert "no version 9 of the rules" in aegis("rules", "apply", "--version", "9", *WHY).err
    back = aegis("rules", "apply", "--back-to-file", *WHY)
    assert "Workers go by them" in back.err
    assert "aegis rules apply --version 1 --reason" in back.err
    again = aegis("rules", "apply", "--version", "1", *WHY, "--json").json
    assert (again["version"], again["config"]) == (3, applied["config"])
    listed = aegis("rules", "history")
    assert "config/rules.toml" in listed.out
    assert {one["object"] for one in aegis("rules", "history", "--json").json} == {"rules_version"}
