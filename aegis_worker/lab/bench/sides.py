"""The two sides of a comparison: which checkout, under which environment, measured by its own `aegis bench`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from aegis_worker.errors import OperatorError
from aegis_worker.lab.local.stopping import check_stopped

# Variables of our virtual environment are taken out, because they lead the other checkout's Python to our packages.
_OURS_ONLY = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
# Longer than any round that is worth waiting for.
_ROUND_LIMIT_S = 3600.0
# How long a round that is told to stop may take to end its installation, and how often we look whether it should.
_STOP_LIMIT_S, _LOOK_EVERY_S = 60.0, 0.2
# The other checkout's own scripts make its virtual environment where it has none.
_IN_CHECKOUT = 'source scripts/_env.sh && exec aegis "$@"'


@dataclass(frozen=True, slots=True)
class Side:
    """One side. `checkout` is None for the code that runs now; `environ` is set on top of the caller's environment."""

    name: str
    checkout: Path | None
    environ: Mapping[str, str]

    def measure(self, mode: str, arguments: Sequence[str], stopping: threading.Event) -> dict[str, Any]:
        """One round of `aegis bench MODE`, on an installation of its own.

        Raises OperatorError with its last words where it fails, and Stopped, after it has ended, once `stopping` is set.
        """
        with tempfile.TemporaryDirectory(prefix="aegis-compare-") as folder:
            file = Path(folder) / "round.json"
            argv = self._argv(["bench", mode, *arguments, "--rounds", "1", "--json", str(file)])
            try:
                code, said = self._run(argv, stopping)
            except OSError as error:
                raise OperatorError(f"{self.name}: aegis bench {mode} could not be run: {error}") from error
            # Exit code 1 means that it measured and some payments went wrong; the result's `errors` say which.
            if code not in (0, 1) or not file.exists():
                last = (said.strip() or "it said nothing").splitlines()[-1]
                raise OperatorError(f"{self.name}: aegis bench {mode} ended with {code}: {last}")
            result: dict[str, Any] = json.loads(file.read_text())
            return result

    def _run(self, argv: Sequence[str], stopping: threading.Event) -> tuple[int, str]:
        """Its exit code and what it said. Raises Stopped."""
        until_s = time.monotonic() + _ROUND_LIMIT_S
        # In a session of its own Ctrl-C does not reach it a second time, which would cut its own clearing up short.
        with subprocess.Popen(
            argv,
            cwd=self.checkout,
            env=self._environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as round_:
            try:
                while True:
                    check_stopped(stopping)
                    if time.monotonic() > until_s:
                        raise OperatorError(f"{self.name}: a round took longer than {_ROUND_LIMIT_S:.0f} s")
                    try:
                        said, _ = round_.communicate(timeout=_LOOK_EVERY_S)
                    except subprocess.TimeoutExpired:
                        continue
                    return round_.returncode, said
            finally:
                _ended(round_)

    def _argv(self, arguments: Sequence[str]) -> list[str]:
        if self.checkout is None:
            return [sys.executable, "-c", "from aegis_worker.cli import main; main()", *arguments]
        return ["bash", "-c", _IN_CHECKOUT, "aegis", *arguments]

    def _environ(self) -> dict[str, str]:
        inherited = dict(os.environ)
        if self.checkout is not None:
            inherited = {name: value for name, value in inherited.items() if name not in _OURS_ONLY}
        return {**inherited, **self.environ}


def _ended(round_: subprocess.Popen[str]) -> None:
    """End a round that still runs, so that its PostgreSQL, Valkey and processes don't outlive the comparison."""
    if round_.poll() is not None:
        return
    round_.terminate()
    with suppress(subprocess.TimeoutExpired):
        round_.wait(_STOP_LIMIT_S)
    with suppress(ProcessLookupError):  # what it left behind, in the session that it leads
        os.killpg(round_.pid, signal.SIGKILL)


def sides(
    checkout: Path | None, environ_a: Mapping[str, str], environ_b: Mapping[str, str]
) -> tuple[Side, Side]:
    """A: the code that runs now; B: the other checkout, or the same code under another environment.

    Raises click.UsageError where the two would not differ, or where the folder is no checkout of AegisPay.
    """
    if checkout is None and environ_a == environ_b:
        raise click.UsageError(
            "nothing to compare: give the folder of another checkout, or --env-a and --env-b"
        )
    if checkout is not None and not (checkout / "scripts" / "_env.sh").is_file():
        raise click.UsageError(f"{checkout} is no checkout of AegisPay: it has no scripts/_env.sh")
    return Side("A", None, environ_a), Side("B", checkout, environ_b)
