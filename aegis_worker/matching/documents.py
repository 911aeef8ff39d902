"""Documents that hold conditions, read: what is wrong in one is said with file, line and place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aegis_worker.domain.json_pointers import steps
from aegis_worker.errors import ConfigurationError, InvalidDocument
from aegis_worker.toml_lines import line_of

from .checks import place

Config = TypeVar("Config")


def usable_document(
    checked: Callable[[Mapping[str, Any]], Config],
    document: Mapping[str, Any],
    *,
    where: str,
    text: str | None = None,
) -> Config:
    """What `checked` makes of a document; `text`: the TOML that it was read from, for the lines of what is wrong.

    Raises ConfigurationError, one line for each wrong place, where `checked` raises InvalidDocument.
    """
    try:
        return checked(document)
    except InvalidDocument as error:
        lines = [_wrong_place(where, problem, document, text) for problem in error.problems]
        raise ConfigurationError("\n".join(lines)) from error


def _wrong_place(where: str, problem: Mapping[str, str], document: Any, text: str | None) -> str:
    line = line_of(text, steps(problem["pointer"])) if text is not None else None
    at = f"{where}:{line}" if line is not None else where
    return f"{at}: {place(problem['pointer'], document)}: {problem['detail']}"
