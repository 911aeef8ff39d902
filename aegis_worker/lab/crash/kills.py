"""Counting deaths: a process that dies at a crash point says so in its log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aegis_worker.crash_points import LAST_WORDS


class Kills:
    """Counts the processes that say in their logs, from now on, that they die at one point."""

    def __init__(self, logs: Sequence[Path], point: str) -> None:
        self._words = f"{LAST_WORDS} {point}\n".encode()
        self._read_to = {log: _size(log) for log in logs}
        self._count = 0

    def count(self) -> int:
        """How many there have been."""
        for log, position in self._read_to.items():
            if _size(log) < position:  # the log was renamed at a start, and this is a new one
                position = 0
            new = _read(log, position)
            whole = new[: new.rfind(b"\n") + 1]
            self._count += whole.count(self._words)
            self._read_to[log] = position + len(whole)
        return self._count


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _read(log: Path, position: int) -> bytes:
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(position)
        return file.read()
