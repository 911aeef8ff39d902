"""Processes that kill themselves between two effects, as `aegis crashtest` has it: nothing is charged twice or lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import CONFIG_DIR
from support.installation import AEGIS, START_S
from support.rehearsals import PAYMENTS, SEED, assert_safe, killed_at, rehearsing

from aegis_worker.crash_points import LISTENING_POINTS, POINTS, SCREENING_POINTS
from aegis_worker.lab.crash.mix import run_mix
from aegis_worker.lab.crash.stage import Stage

pytestmark = pytest.mark.slow

_MIX_S = 60.0
TESTS = Path(__file__).parents[1]
_BLOCKS_ALL = """
[[rules]]
id = "everything"
action = "block"
conditions = [{ field = "amount", operator = "gt", value = 0 }]
"""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with rehearsing() as ready:
        yield ready


@pytest.mark.row(1)
def test_a_merchant_who_asks_again_gets_one_payment_when_the_api_dies_before_the_commit(stage: Stage) -> None:
    result = killed_at(stage, "intake.received")
    assert_safe(result)
    # As many as there were keys: twice as many where the point was tried twice.
    assert result.payments in (PAYMENTS, 2 * PAYMENTS)


@pytest.mark.row(2)
def test_a_payment_without_a_hint_is_found_when_the_api_dies_after_the_commit(stage: Stage) -> None:
    result = killed_at(stage, "intake.committed")
    assert_safe(result)
    # As many as there were keys: twice as many where the point was tried twice.
    assert result.payments in (PAYMENTS, 2 * PAYMENTS)


@pytest.mark.row(3)
def test_the_same_key_names_the_same_payment_when_the_api_dies_before_the_reply(stage: Stage) -> None:
    result = killed_at(stage, "intake.hinted")
    assert_safe(result)
    # As many as there were keys: twice as many where the point was tried twice.
    assert result.payments in (PAYMENTS, 2 * PAYMENTS)


@pytest.mark.row(74)
@pytest.mark.parametrize(
    "point", [point for point in POINTS if point.startswith(("gateway_event.", "event_inbox.", "dispute."))]
)
def test_what_gateways_tell_is_worked_off_whoever_dies_with_it(stage: Stage, point: str) -> None:
    assert_safe(killed_at(stage, point))


@pytest.mark.row(54)
@pytest.mark.parametrize(
    "point", ["outbox.claimed", "outbox.published", "outbox.removed", "webhook.claimed", "webhook.posted"]
)
def test_webhooks_come_in_order_when_a_drainer_dies_before_or_after_sending(stage: Stage, point: str) -> None:
    assert_safe(killed_at(stage, point))


_ELSEWHERE = {"intake", "outbox", "card"}


@pytest.mark.row(17)
@pytest.mark.parametrize(
    "point",
    [
        point
        for point in POINTS
        if point.partition(".")[0] not in _ELSEWHERE
        and point not in {"webhook.claimed", "webhook.posted"} | SCREENING_POINTS | LISTENING_POINTS
    ],
)
def test_payments_go_on_where_they_were_when_a_process_dies_at(stage: Stage, point: str) -> None:
    assert_safe(killed_at(stage, point))


@pytest.mark.row(62)
def test_a_random_mix_of_faults_ends_with_every_payment_settled_and_nothing_leaked(stage: Stage) -> None:
    result = run_mix(stage, _MIX_S, SEED, print)
    assert result.faults
    assert result.violations == []


def test_the_command_ends_with_0_and_writes_its_figures(tmp_path: Path) -> None:
    figures_file = tmp_path / "out.json"
    argv = [AEGIS, "crashtest", "--points", "attempt.opened", "--payments", "10", "--json", str(figures_file)]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=5 * START_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(figures_file.read_text())
    assert figures["seed"] == 1
    (point,) = figures["points"]
    assert (point["name"], point["violations"]) == ("attempt.opened", [])
    assert point["kills"] > 0
    assert point["payments"] == 10
    assert sum(point["by_state"].values()) == 10
    assert "attempt.opened" in ran.stdout


@pytest.mark.parametrize(
    ("hook", "rules", "broke", "how"),
    [
        ("Hangs", "", "hook support.hook_plugins.in_the_way.Hangs:fraud_check", "timed out after 500 ms"),
        ("Refuses", "", "hook support.hook_plugins.in_the_way.Refuses:validate_payment", "stopped"),
        ("", _BLOCKS_ALL, "rule everything", "stopped"),
    ],
)
def test_a_hook_or_rule_that_lets_nothing_through_is_named_before_anything_else(
    tmp_path: Path, hook: str, rules: str, broke: str, how: str
) -> None:
    config, figures_file = tmp_path / "config", tmp_path / "out.json"
    shutil.copytree(CONFIG_DIR, config)
    (config / "rules.toml").write_text(rules)
    env = os.environ | {"AEGIS_CONFIG_DIR": str(config), "PYTHONPATH": str(TESTS)}
    env |= {"AEGIS_HOOKS": f"support.hook_plugins.in_the_way:{hook}"} if hook else {}
    argv = [AEGIS, "crashtest", "--points", "attempt.opened", "--payments", "10", "--json", str(figures_file)]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=10 * START_S, env=env)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    figures = json.loads(figures_file.read_text())
    assert figures["broke"] == [broke]
    assert how in figures["hooks_and_rules"][0]["what"]
    assert figures["points"][0]["violations"] == []
    assert f"FAILED: {broke} is what broke" in ran.stderr
    assert ran.stdout.index(broke) < ran.stdout.index("Killed at every point")
