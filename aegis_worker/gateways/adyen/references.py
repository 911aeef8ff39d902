"""Adyen's references as they are kept here. Pure.

Some are sixteen digits, which could pass for a card number, and such a number is kept nowhere (design D8). So a letter is
written behind the first digit, and taken out where Adyen is told. Adyen's other references are capital letters and digits.
"""

from __future__ import annotations

import re

_DIGITS = re.compile(r"[0-9]{2,}")
_KEPT = re.compile(r"[0-9]p[0-9]+")


def as_kept(reference: str) -> str:
    """`8313547924770610` is kept as `8p313547924770610`."""
    return f"{reference[0]}p{reference[1:]}" if _DIGITS.fullmatch(reference) else reference


def as_adyen_writes(kept: str) -> str:
    """The reference that was kept so."""
    return kept.replace("p", "", 1) if _KEPT.fullmatch(kept) else kept
