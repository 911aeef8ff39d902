"""Regular expressions that can't hold up a worker.

Python's `re` goes back and tries again; `(a+)+b` takes longer than a lifetime on forty letters. So a pattern is refused
unless the number of ways to match it against the longest value is bounded: an alternative adds its ways, a sequence
multiplies them, and a repeat has as many as it has possible counts. Back-references and look-arounds are not taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST_PATTERN = 200
# A longer value matches no pattern.
LONGEST_VALUE = 256
# Two `.*` in one pattern, and a little more.
_MOST_WAYS = 100_000


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, for use with `fullmatch`. Raises ValueError that says what is wrong with it."""
    if not 1 <= len(pattern) <= LONGEST_PATTERN:
        raise ValueError(f"must have 1 to {LONGEST_PATTERN} characters")
    try:
        expression, parsed = re.compile(pattern), _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if _ways(parsed) > _MOST_WAYS:
        raise ValueError("may take too long: it repeats or chooses in too many places")
    return expression


def _ways(items: Iterable[tuple[Any, Any]]) -> int:
    ways = 1
    for operation, argument in items:
        ways *= _ways_of(operation.name, argument)
        if ways > _MOST_WAYS:
            break
    return ways


def _ways_of(operation: str, argument: Any) -> int:
    match operation:
        case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN" | "AT":
            return 1
        case "BRANCH":
            return sum(_ways(alternative) for alternative in argument[1])
        case "SUBPATTERN":
            return _ways(argument[-1])
        case "MAX_REPEAT" | "MIN_REPEAT":
            return _ways_of_repeat(*argument)
        case _:
            raise ValueError("uses a look-around, a back-reference or something else that is not taken")


def _ways_of_repeat(least: int, most: int, body: Any) -> int:
    if body.getwidth()[0] == 0:
        raise ValueError("repeats something that may be empty")
    once, ways = _ways(body), 0
    for count in range(least, min(int(most), LONGEST_VALUE) + 1):
        ways += once**count
        if ways > _MOST_WAYS:
            break
    return max(ways, 1)
