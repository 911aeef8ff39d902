"""Checks cards that are given by number, as gateways do before they ask an issuer. Pure.

Nothing here keeps a number: a wire format makes the name of a test card of it, and goes on with that.
"""

from __future__ import annotations

_SHORTEST, _LONGEST = 12, 19


def is_number(text: object) -> bool:
    """Whether it is a number that a card could have: digits that pass Luhn's check."""
    if type(text) is not str or not (text.isascii() and text.isdecimal()):
        return False
    return _SHORTEST <= len(text) <= _LONGEST and _luhn_sum(text) % 10 == 0


def is_month(text: object) -> bool:
    """Whether it is a month, 1 to 12, in one digit or two."""
    return (
        type(text) is str and text.isascii() and text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= 12
    )


def is_year(text: object) -> bool:
    """Whether it is a year in four digits."""
    return type(text) is str and text.isascii() and text.isdecimal() and len(text) == 4


def is_over(month: str, year: str, now_month: tuple[int, int]) -> bool:
    """Whether a card that is valid to the end of this month has expired. `now_month`: year and month."""
    return (int(year), int(month)) < now_month


def is_code(text: object) -> bool:
    """Whether it has a security code's form: three digits or four."""
    return type(text) is str and text.isascii() and text.isdecimal() and len(text) in (3, 4)


def _luhn_sum(digits: str) -> int:
    doubled = (int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return sum(value - 9 if value > 9 else value for value in doubled)
