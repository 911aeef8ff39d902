"""Conditions read from a document: each field has its operators, and each of them its type of value."""

from __future__ import annotations

import re
from typing import Any

from .checks import Checks, Path, shown
from .conditions import Condition, Vocabulary
from .operators import OPERATORS

MOST_CONDITIONS, _MOST_VALUES = 20, 500
_PARTS = ("field", "operator", "value")
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def checked_id(checks: Checks, path: Path, value: Any) -> Any:
    """The id of a rule."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        checks.wrong(path, "must be 1 to 64 letters, digits, dots, dashes or _")
    return value


def checked_condition(checks: Checks, path: Path, value: Any, vocabulary: Vocabulary) -> Condition | None:
    """The condition that a table describes; None where something is wrong with it, which is noted."""
    table = checks.table(path, value, _PARTS)
    missing = [name for name in _PARTS if name not in table]
    for name in missing:
        checks.wrong((*path, name), "is missing")
    if missing:
        return None
    field, operator, wanted = (table[name] for name in _PARTS)
    known = vocabulary.field(field)
    if known is None:
        checks.wrong((*path, "field"), f"unknown field {shown(field)}; one of {vocabulary.known}")
        return None
    if checks.one_of((*path, "operator"), operator, OPERATORS, "operator") is None:
        return None
    if operator not in known.kind.operators:
        checks.wrong((*path, "operator"), f"{field} takes {', '.join(known.kind.operators)}; not {operator}")
        return None
    before = checks.wrongs
    for at, item in _compared(checks, (*path, "value"), operator, wanted):
        if wrong := known.kind.check(operator)(item):
            checks.wrong(at, wrong)
    if checks.wrongs > before:
        return None
    return Condition(field, operator, tuple(wanted) if operator == "in" else wanted, vocabulary)


def _compared(checks: Checks, path: Path, operator: str, wanted: Any) -> list[tuple[Path, Any]]:
    """What a field is compared with, each with its place."""
    if operator != "in":
        return [(path, wanted)]
    if wanted == []:
        checks.wrong(path, "must have at least one item")
    items = checks.items(path, wanted, _MOST_VALUES)
    return [((*path, index), item) for index, item in enumerate(items)]
