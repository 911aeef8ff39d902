"""A TOML file as people write it: what keeps it from being read is said in one line, with the place."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegis_worker.errors import ConfigurationError

# Far above any routing that a person wrote.
_MOST_BYTES = 4 << 20
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; both count from 1."""

    line: int
    column: int


class UnreadableFile(ConfigurationError):
    """The file can't be read, or is not in the form that its name says; `place`: from where on, where that is known."""

    def __init__(self, path: Path, why: str, place: Place | None = None) -> None:
        where = f"line {place.line}, column {place.column}: " if place else ""
        super().__init__(f"{path}: {where}{why}")
        self.path, self.why, self.place = path, why, place


def read_toml(path: Path) -> dict[str, Any]:
    """What the file holds. Raises UnreadableFile; the FileNotFoundError of one that is not there is its cause."""
    return parsed_toml(path, read_text(path))


def parsed_toml(path: Path, text: str) -> dict[str, Any]:
    """What `text`, which the file holds, says. Raises UnreadableFile."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why = str(error)
        found = _PLACE.search(why)
        place = Place(int(found[1]), int(found[2])) if found else end_of(text)
        raise UnreadableFile(
            path, _PLACE.sub("", why).removesuffix(" (at end of document)"), place
        ) from error
    except RecursionError as error:
        raise UnreadableFile(path, "nests its values too deeply") from error


def read_text(path: Path) -> str:
    """The file as text, without a byte order mark. Raises UnreadableFile."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a path may hold a NUL
        raise UnreadableFile(path, getattr(error, "strerror", None) or "is no path") from error
    if len(raw) > _MOST_BYTES:
        raise UnreadableFile(path, f"is longer than {_MOST_BYTES >> 20} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        raise UnreadableFile(path, "is not UTF-8", end_of(before)) from error


def text_if_any(path: Path) -> str | None:
    """As `read_text`; None where there is no file."""
    try:
        return read_text(path)
    except UnreadableFile as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def end_of(text: str) -> Place:
    """The place right after `text`."""
    return Place(text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)
