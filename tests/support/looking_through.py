"""Asks the processes of an installation which of their live objects hold a text."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from support.checkout import TESTS

_PROGRAM = TESTS / "support" / "processes" / "looked_through"
# A limit for a busy machine: a walk takes a second or two.
_WITHIN_S = 120.0


def can_be_looked_through(folder: Path) -> dict[str, str]:
    """What the environment of processes must hold for `holders`, which is told the same folder."""
    path = os.pathsep.join(filter(None, (str(_PROGRAM), os.environ.get("PYTHONPATH"))))
    return {"PYTHONPATH": path, "TEST_LOOK_THROUGH": str(folder)}


def holders(folder: Path, name: str, pids: Sequence[int], backwards: Sequence[str]) -> dict[str, list[str]]:
    """By the command line of each of these processes, the objects that hold one of the texts, given backwards."""
    (folder / f"{name}.ask.part").write_text("\n".join(backwards))
    (folder / f"{name}.ask.part").rename(folder / f"{name}.ask")
    deadline = time.monotonic() + _WITHIN_S
    told: dict[str, list[str]] = {}
    for pid in pids:
        answer = folder / f"{name}.{pid}.told"
        while not answer.exists():
            assert time.monotonic() < deadline, f"process {pid} does not say what it holds"
            assert psutil.pid_exists(pid), f"process {pid} has ended"
            time.sleep(0.1)
        command, *found = answer.read_text().split("\n")
        told[f"{pid} {command}"] = found
    return told
