"""Spans of statements, for what is traced: their names, never what they say or their values."""

from __future__ import annotations

import re

_PREPARED = re.compile(r"\bEXECUTE (\w+)")
_WORD = re.compile(r"\w+")


def statement_name(statement: object) -> str:
    """What a statement is called: the name that it was prepared under, or its first word."""
    if not isinstance(statement, str):
        return "statement"
    if (prepared := _PREPARED.search(statement)) is not None:
        return prepared[1]
    verb = _WORD.match(statement.lstrip())
    return verb[0].upper() if verb is not None else "statement"
