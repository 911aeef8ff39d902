"""What processes write to their logs from some moment on, line by line, even if a log is rotated meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class ProcessLogs:
    """Every `*.log` of a folder, from now on, or from its beginning."""

    def __init__(self, folder: Path, *, whole: bool = False) -> None:
        self._folder = folder
        # By inode and not by name, because a rotated log goes on under another name.
        self._read_to = {} if whole else {path.stat().st_ino: path.stat().st_size for path in self._files()}

    def lines(self, name: str = "*") -> list[str]:
        """The lines that the program of that name has written since, or all programs. The older file comes first."""
        found: list[str] = []
        for path in self._files(name):
            written = path.read_bytes()[self._read_to.get(path.stat().st_ino, 0) :]
            found += written.decode(errors="replace").splitlines()
        return found

    def events(self, name: str = "*") -> list[dict[str, Any]]:
        """The lines that are ours: one JSON object each."""
        return events_of(self.lines(name))

    def tracebacks(self) -> list[str]:
        """Lines in which an exception's traceback begins, whether by itself or inside a JSON object."""
        return [line for line in self.lines() if "Traceback (most recent call last)" in line]

    def _files(self, name: str = "*") -> list[Path]:
        return sorted(self._folder.glob(f"{name}.log*"), reverse=True)


def events_of(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The lines that are JSON objects."""
    return [json.loads(line) for line in lines if line.startswith("{")]
