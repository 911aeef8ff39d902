"""Paths and names as problem documents may repeat them (D8)."""

from __future__ import annotations

import re

HIDDEN = "hidden"
_OUR_ID = re.compile(r"[a-z]{2,8}_[0-9a-f]{32}(?:_[0-9]{1,6})?", re.ASCII)
# Fewer digits than a security code has.
_HARMLESS_DIGITS = 2
_MOST_DIGITS_SHOWN = 12


def shown(text: str) -> str:
    """A path or name as a problem document may repeat it, at little cost: with `hidden` for parts that have many digits.

    Also for callers that nobody knows yet, so nothing is searched here.
    """
    parts = text.split("/")
    kept = [part if _is_harmless(part) else HIDDEN for part in parts]
    if sum(_count_digits(part) for part in kept if _OUR_ID.fullmatch(part) is None) > _MOST_DIGITS_SHOWN:
        return HIDDEN
    return "/".join(kept)


def _is_harmless(part: str) -> bool:
    return _count_digits(part) <= _HARMLESS_DIGITS or _OUR_ID.fullmatch(part) is not None


def _count_digits(text: str) -> int:
    return sum(map(str.isnumeric, text))
