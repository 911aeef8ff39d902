"""Reports of experiments, crash tests and explorations in a folder: found, and read without trusting what lies there."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

MOST_LISTED = 100
LARGEST = 4 * 1024 * 1024
# No separators, no leading dot: a name can't lead out of the folder.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(?:html|json)", re.ASCII)
# Of a folder that holds other things as well, so many names are looked at.
_MOST_NAMES = 5000


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A report in the folder, `size` in bytes."""

    name: str
    at: datetime
    size: int

    @property
    def is_page(self) -> bool:
        """Whether it is HTML; else it is JSON."""
        return self.name.endswith(".html")


def list_reports(folder: Path) -> list[ReportFile]:
    """The newest MOST_LISTED. Raises OSError where the folder can't be read."""
    with os.scandir(folder) as entries:
        found = list(_reports(islice(entries, _MOST_NAMES)))
    return sorted(found, key=lambda one: (one.at, one.name), reverse=True)[:MOST_LISTED]


def _reports(entries: Iterator[os.DirEntry[str]]) -> Iterator[ReportFile]:
    for entry in entries:
        if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield ReportFile(entry.name, datetime.fromtimestamp(status.st_mtime, UTC), status.st_size)


def read_report(folder: Path, name: str) -> bytes | None:
    """What is in it. None where there is no such report: a link, a pipe and what is larger than LARGEST are none."""
    if not _NAME.fullmatch(name):
        return None
    try:
        opened = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        return None
    with open(opened, "rb") as file:
        content = file.read(LARGEST + 1)
    return None if len(content) > LARGEST else content


def told_by(content: bytes) -> Mapping[str, Any]:
    """What JSON of ours says: `verdict` and its kin of an experiment, `explored` of an exploration; else empty."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
