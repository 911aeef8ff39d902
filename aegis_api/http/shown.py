"""Paths and names in the form in which problem documents may repeat them (D8)."""

from __future__ import annotations

import re

HIDDEN = "hidden"
_OUR_ID = re.compile(r"[a-z]{2,8}_[0-9a-f]{32}(?:_[0-9]{1,6})?", re.ASCII)
# A security code has more digits than this.
_HARMLESS_DIGITS = 2
_MOST_DIGITS_SHOWN = 12


def shown(text: str) -> str:
    """A path or name that a problem document may repeat: a part with many digits is replaced by `hidden`.

    This runs for unauthenticated callers, too, so it is cheap and does not search for card numbers.
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
