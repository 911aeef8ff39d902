"""What processes write to their logs, line by line, from a moment on: also where a log was turned over meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class ProcessLogs:
    """Every `*.log` of a folder, from now on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # By the file and not by its name: turned over, a log goes on under another.
        self._read_to = {path.stat().st_ino: path.stat().st_size for path in self._files()}

    def lines(self, name: str = "*") -> list[str]:
        """What the program of that name has written since, or all of them; the older file first."""
        found: list[str] = []
        for path in self._files(name):
            written = path.read_bytes()[self._read_to.get(path.stat().st_ino, 0) :]
            found += written.decode(errors="replace").splitlines()
        return found

    def events(self, name: str = "*") -> list[dict[str, Any]]:
        """Those of the lines that are ours: one JSON object each."""
        return events_of(self.lines(name))

    def tracebacks(self) -> list[str]:
        """Lines in which an exception's traceback begins, whether by itself or inside a JSON object."""
        return [line for line in self.lines() if "Traceback (most recent call last)" in line]

    def _files(self, name: str = "*") -> list[Path]:
        return sorted(self._folder.glob(f"{name}.log*"), reverse=True)


def events_of(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The lines that are JSON objects."""
    return [json.loads(line) for line in lines if line.startswith("{")]
