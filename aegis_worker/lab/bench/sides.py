"""The two sides of a comparison: which checkout, under which environment, measured by its own `aegis bench`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from aegis_worker.errors import OperatorError

# Variables of our virtual environment are taken out, because they lead the other checkout's Python to our packages.
_OURS_ONLY = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
# Longer than any round that is worth waiting for.
_ROUND_LIMIT_S = 3600.0
# The other checkout's own scripts make its virtual environment where it has none.
_IN_CHECKOUT = 'source scripts/_env.sh && exec aegis "$@"'


@dataclass(frozen=True, slots=True)
class Side:
    """One side. `checkout` is None for the code that runs now; `environ` is set on top of the caller's environment."""

    name: str
    checkout: Path | None
    environ: Mapping[str, str]

    def measure(self, mode: str, arguments: Sequence[str]) -> dict[str, Any]:
        """One round of `aegis bench MODE`, on an installation of its own. Raises OperatorError with its last words."""
        with tempfile.TemporaryDirectory(prefix="aegis-compare-") as folder:
            file = Path(folder) / "round.json"
            argv = self._argv(["bench", mode, *arguments, "--rounds", "1", "--json", str(file)])
            try:
                ran = subprocess.run(
                    argv,
                    cwd=self.checkout,
                    env=self._environ(),
                    capture_output=True,
                    text=True,
                    timeout=_ROUND_LIMIT_S,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise OperatorError(f"{self.name}: aegis bench {mode} could not be run: {error}") from error
            # Exit code 1 means that it measured and some payments went wrong; the result's `errors` say which.
            if ran.returncode not in (0, 1) or not file.exists():
                last = (ran.stderr.strip() or ran.stdout.strip() or "it said nothing").splitlines()[-1]
                raise OperatorError(f"{self.name}: aegis bench {mode} ended with {ran.returncode}: {last}")
            result: dict[str, Any] = json.loads(file.read_text())
            return result

    def _argv(self, arguments: Sequence[str]) -> list[str]:
        if self.checkout is None:
            return [sys.executable, "-c", "from aegis_worker.cli import main; main()", *arguments]
        return ["bash", "-c", _IN_CHECKOUT, "aegis", *arguments]

    def _environ(self) -> dict[str, str]:
        inherited = dict(os.environ)
        if self.checkout is not None:
            inherited = {name: value for name, value in inherited.items() if name not in _OURS_ONLY}
        return {**inherited, **self.environ}


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
