"""The names of crash points: what the source passes is what is listed; and who may be told to die, how."""

from __future__ import annotations

import ast
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.checkout import CHECKOUT

from aegis_worker import crash_points as points
from aegis_worker.crash_points import LAST_WORDS, POINTS, VARIABLE, arm
from aegis_worker.errors import ConfigurationError
from aegis_worker.lab.crash.points import programs_of

_PASSED = {"crash_point", "_crash_points"}
_NAME = re.compile(rf"({'|'.join({name.partition('.')[0] for name in POINTS})})\.[a-z_]+")


@pytest.fixture(autouse=True)
def disarmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(points, "_armed", None)


def _modules() -> Iterator[ast.Module]:
    for folder in ("aegis_worker", "aegis_api"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            text = path.read_text()
            if "crash_points import" in text and not {"cli", "lab"} & set(path.parts):
                yield ast.parse(text)


def _strings(tree: ast.AST) -> set[str]:
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def test_every_name_that_is_passed_is_listed() -> None:
    calls = [
        node
        for tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _PASSED
    ]
    passed = {name for call in calls for argument in call.args for name in _strings(argument)}
    assert len(passed) >= 20
    assert passed <= POINTS.keys()


def test_every_name_that_is_listed_is_in_the_source_and_no_other_of_that_form() -> None:
    named = {text for tree in _modules() for text in _strings(tree) if _NAME.fullmatch(text)}
    assert named == POINTS.keys()


def test_every_point_belongs_to_a_program() -> None:
    assert {program for point in POINTS for program in programs_of(point)} == {"web", "worker"}


@pytest.mark.parametrize("environment", ["development", "test", "staging"])
def test_anywhere_but_in_production_a_process_can_be_told_to_die(
    monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    monkeypatch.setenv(VARIABLE, "job.claimed:2")
    arm(environment)
    assert points._armed is not None


def test_production_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "job.claimed")
    with pytest.raises(ConfigurationError, match="production"):
        arm("production")
    assert points._armed is None


@pytest.mark.parametrize(
    "wanted", ["nonsense", "job", "job.claimed:", "job.claimed:0", "job.claimed:x", ":1"]
)
def test_what_names_no_point_is_refused(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv(VARIABLE, wanted)
    with pytest.raises(ConfigurationError, match="crashtest --list"):
        arm("test")


def test_a_process_dies_at_the_nth_pass_and_says_so() -> None:
    script = (
        "from aegis_worker.crash_points import arm, crash_point\n"
        "arm('test')\n"
        "for pass_ in (1, 2, 3):\n"
        "    crash_point('job.locked')\n"
        "    crash_point('job.claimed')\n"
        "    print(pass_, flush=True)\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", script],
        env={VARIABLE: "job.claimed:2", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert died.returncode == -signal.SIGKILL
    assert died.stdout == "1\n"
    assert died.stderr == f"{LAST_WORDS} job.claimed\n"
