"""Regular expressions that can't hold up a worker: RE2 matches in time linear in the value, whatever the pattern.

Python's `re` goes back and tries again, so that `(a+)+b` takes longer than a lifetime on forty letters. RE2 never goes
back, and therefore has no look-arounds, back-references, conditionals, atomic groups or possessive repeats.
Its syntax: https://github.com/google/re2/wiki/Syntax. `\\d`, `\\w`, `\\s` and `\\b` know ASCII only.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import re2

LONGEST_PATTERN = 200
# A longer value matches no pattern.
LONGEST_VALUE = 256
# Of a compiled pattern. One that needs more is refused, within a few milliseconds.
_MOST_BYTES = 1 << 18
# `re` reads it as {0,n}, RE2 as these very characters: taken, it would mean something else to whoever wrote it.
_NO_LEAST = re.compile(r"(?<!\\)\{,")


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a value matches `pattern` from its first character to its last. Raises ValueError that says what is wrong."""
    if not 1 <= len(pattern) <= LONGEST_PATTERN:
        raise ValueError(f"must have 1 to {LONGEST_PATTERN} characters")
    if _NO_LEAST.search(pattern):
        raise ValueError("has {, in it: write {0,n} for up to n times, or \\{ for the character")
    try:
        fullmatch = re2.compile(pattern, _options()).fullmatch
    except re2.error as error:
        raise ValueError(f"is not a regular expression that RE2 takes: {_said(error)}") from None
    # As bytes: for a string, the wrapper would count the characters of each match.
    return lambda value: len(value) <= LONGEST_VALUE and fullmatch(value.encode(errors="replace")) is not None


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False  # to standard error, past our logs
    options.never_capture = True
    options.max_mem = _MOST_BYTES
    return options


def _said(error: re2.error) -> str:
    said = error.args[0]
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
