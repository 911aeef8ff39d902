"""docs/reference/settings.md: config/aegis.env.example as tables, with the bounds that the code checks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from aegis_worker.settings_bounds import BOUNDS

from .markdown import code, table

EXAMPLE = Path(__file__).parents[2] / "config" / "aegis.env.example"
_SECTION = re.compile(r"# --- (.+?) -+")
_VARIABLE = re.compile(r"(#?)([A-Z][A-Z0-9_]+)=(.*)")
_LONGEST_DEFAULT = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """Variables that share one explanation in the example."""

    section: str
    text: str
    variables: tuple[tuple[str, str, bool], ...]  # name, value, whether it is required


def tables() -> str:
    """One table for each section of the example."""
    entries = _entries(EXAMPLE.read_text(encoding="utf-8"))
    parts = []
    for section in dict.fromkeys(entry.section for entry in entries):
        rows = [_row(entry) for entry in entries if entry.section == section]
        parts.append(f"## {section}\n\n" + table(("setting", "default", "allowed", "meaning"), rows))
    return "\n\n".join(parts)


def _entries(example: str) -> list[Entry]:
    found, section = [], ""
    for paragraph in example.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line]
        variables = [match for line in lines if (match := _VARIABLE.fullmatch(line))]
        if lines and (heading := _SECTION.fullmatch(lines[0])):
            section = heading[1]
        elif variables:
            text = " ".join(line.removeprefix("#").strip() for line in lines if not _VARIABLE.fullmatch(line))
            found.append(Entry(section, text, tuple((one[2], one[3], not one[1]) for one in variables)))
    return found


def _row(entry: Entry) -> tuple[str, str, str, str]:
    names = "<br>".join(code(name) for name, _, _ in entry.variables)
    defaults = "<br>".join(_default(value, required) for _, value, required in entry.variables)
    bounds = "<br>".join(_allowed(name) for name, _, _ in entry.variables)
    return names, defaults, bounds, entry.text


def _default(value: str, required: bool) -> str:
    if required:
        return "to be set"
    if len(value) > _LONGEST_DEFAULT:
        return "see there"
    return code(value) if value else "empty"


def _allowed(name: str) -> str:
    bounds = BOUNDS.get(name.removeprefix("AEGIS_").lower())
    return f"{bounds[0]:,.10g} to {bounds[1]:,.10g}" if bounds else "–"
