"""Markdown that several references need."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. A `|` inside a cell is escaped, and a cell is one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: object) -> str:
    """The text as code."""
    return f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    """The texts as code, with commas; a dash where there is none."""
    return ", ".join(code(text) for text in texts) or "–"


def docstring(of: Any) -> str:
    """A docstring as one line."""
    return " ".join((inspect.getdoc(of) or "").split())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
