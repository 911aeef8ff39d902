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
# The most memory that a compiled pattern may take. One that needs more is refused, within a few milliseconds.
_MOST_BYTES = 1 << 18
# Python's `re` reads `{,n}` as {0,n}, and RE2 as plain characters. It is refused, because it would not match what its
# author expects.
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
    # As bytes, because for a string the wrapper counts the characters of every match, which takes time.
    return lambda value: len(value) <= LONGEST_VALUE and fullmatch(value.encode(errors="replace")) is not None


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False  # RE2 would write them to standard error, past our logs
    options.never_capture = True
    options.max_mem = _MOST_BYTES
    return options


def _said(error: re2.error) -> str:
    said = error.args[0]
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
