"""`aegis hooks`: what is loaded, what is set for it, and what it did lately."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from support.command_line import NOBODY_THERE, Aegis, aegis, install
from support.hook_pools import GOOD, MISBEHAVING, payment

from aegis_worker.hooks import Point
from aegis_worker.settings import load_settings
from aegis_worker.wiring.hooks import built_hooks

__all__ = ["aegis"]

_FILE = f"""
[breaker]
timeouts = 1
[hooks."{MISBEHAVING}"]
timeout_ms = 50
priority = 1
on_failure = "open"
"""


@pytest.fixture
def installed(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """An installation with two hooks."""
    (tmp_path / "hooks.toml").write_text(_FILE)
    (tmp_path / "gateways.toml").write_text('[gateways.null]\nadapter = "null"\n')
    install(
        monkeypatch,
        database_url,
        REDIS_URL=redis_url,
        AEGIS_CONFIG_DIR=str(tmp_path),
        AEGIS_HOOKS=f"{GOOD},{MISBEHAVING}",
    )
    return monkeypatch


def test_it_shows_what_hooks_did_in_other_processes_and_which_are_left_alone(
    installed: pytest.MonkeyPatch, redis_url: str, aegis: Aegis
) -> None:
    hooks = built_hooks(load_settings(), Redis.from_url(redis_url))
    hooks.ask(Point.FRAUD_CHECK, payment(do="sleep"), within_s=20)
    hooks.ask(Point.FRAUD_CHECK, payment(), within_s=20)
    hooks.close()
    misbehaving, good = aegis("hooks", "--json").json["data"]
    assert (misbehaving["hook"], good["hook"]) == (MISBEHAVING, GOOD)
    assert (misbehaving["timeout_ms"], misbehaving["on_failure"]) == (50, "open")
    assert (good["timeout_ms"], good["on_failure"], good["point"]) == (500, "closed", "fraud_check")
    assert (misbehaving["lately"]["timed_out"], misbehaving["lately"]["refused"]) == (1, 1)
    assert misbehaving["lately"]["breaker_open_in_processes"] == 1
    assert (good["lately"]["calls"], good["lately"]["answered"]) == (2, 2)
    shown = aegis("hooks").out
    assert "open in 1 processes" in shown


@pytest.mark.slow
def test_without_redis_it_shows_what_is_set_and_says_so(installed: pytest.MonkeyPatch, aegis: Aegis) -> None:
    installed.setenv("REDIS_URL", NOBODY_THERE)
    ran = aegis("hooks", "--json")
    assert ran.exit_code == 3
    assert "what the hooks did lately is not known" in ran.err
    assert [hook["lately"] for hook in ran.json["data"]] == [None, None]


def test_a_plug_in_that_can_not_be_loaded_is_named(installed: pytest.MonkeyPatch, aegis: Aegis) -> None:
    installed.setenv("AEGIS_HOOKS", "nobody.here")
    ran = aegis("hooks")
    assert ran.exit_code == 3
    assert ran.err == "aegis: AEGIS_HOOKS: nobody.here: ModuleNotFoundError: No module named 'nobody'\n"


def test_where_there_are_none_it_says_so(installed: pytest.MonkeyPatch, tmp_path: Path, aegis: Aegis) -> None:
    installed.setenv("AEGIS_HOOKS", "")
    (tmp_path / "hooks.toml").unlink()
    assert aegis("hooks").out.startswith("No hook is loaded")
    assert aegis("hooks", "--json").json["data"] == []
