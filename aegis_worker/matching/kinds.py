"""What a field's values look like: which operators make sense for them, and what they may be compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aegis_worker.domain.countries import COUNTRIES
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.payment import METHODS
from aegis_worker.domain.text import is_line, is_lines

from .checks import shown
from .operators import OPERATORS, Test
from .patterns import matcher

LONGEST_TEXT = 256
_LARGEST = 2**63

ORDERING = ("gt", "gte", "lt", "lte")
_OF_TEXT = ("eq", "ne", "in", "contains", "matches")
_OF_NUMBER = ("eq", "ne", "in", *ORDERING)

# What is wrong with a value, or None.
ValueCheck = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """The operators of a field, and the check of a value that `eq`, `ne` and `in` compare it with.

    `item`: the check of each value beside `in`, where that takes more; `is_in`: the test that `in` then makes.
    """

    operators: tuple[str, ...]
    value: ValueCheck
    item: ValueCheck | None = None
    is_in: Callable[[tuple[Any, ...]], Test] | None = None

    def check(self, operator: str) -> ValueCheck:
        """The check of what stands beside this operator; of each item beside `in`."""
        if operator == "matches":
            return _pattern
        if operator == "contains":
            return _text
        if operator == "in" and self.item is not None:
            return self.item
        return _number if operator in ORDERING and self.value is _plain else self.value

    def test(self, operator: str, value: Any) -> Test:
        """What a field's value is asked."""
        if operator == "in" and self.is_in is not None:
            return self.is_in(value)
        return OPERATORS[operator](value)


def whole(lowest: int, highest: int, unit: str = "") -> Kind:
    """Whole numbers of a range."""

    def check(value: Any) -> str | None:
        if type(value) is not int or not lowest <= value <= highest:
            return f"must be {unit or 'a whole number'}, from {lowest} to {highest}"
        return None

    return Kind(_OF_NUMBER, check)


def one_of(choices: tuple[str, ...], what: str) -> Kind:
    """One of a few words."""

    def check(value: Any) -> str | None:
        if not isinstance(value, str) or value not in choices:
            return f"unknown {what} {shown(value)}; one of {', '.join(choices)}"
        return None

    return Kind(_OF_TEXT, check)


def _currency(value: Any) -> str | None:
    if not isinstance(value, str) or value not in EXPONENTS:
        return f"{shown(value)} is not an ISO 4217 currency that can be charged"
    return None


def _country(value: Any) -> str | None:
    if not isinstance(value, str) or value not in COUNTRIES:
        return f"{shown(value)} is not a country of ISO 3166-1, in two capital letters"
    return None


def _text(value: Any) -> str | None:
    # What metadata may hold, a rule may compare with.
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_TEXT or not is_lines(value):
        return f"must be a string of 1 to {LONGEST_TEXT} printable characters"
    return None


def _number(value: Any) -> str | None:
    if type(value) not in (int, float) or not -_LARGEST <= value <= _LARGEST:
        return "must be a number"
    return None


def _plain(value: Any) -> str | None:
    if isinstance(value, bool) or _number(value) is None or _text(value) is None:
        return None
    return f"must be a number, true, false, or a string of 1 to {LONGEST_TEXT} printable characters"


def _switch(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _pattern(value: Any) -> str | None:
    if not isinstance(value, str) or not is_line(value):
        return "must be a regular expression in a string of printable characters"
    try:
        matcher(value)
    except ValueError as error:
        return str(error)
    return None


AMOUNT = whole(0, MAX_MINOR, "whole minor units")
CURRENCY = Kind(_OF_TEXT, _currency)
METHOD = one_of(tuple(sorted(METHODS)), "payment method")
COUNTRY = Kind(_OF_TEXT, _country)
TEXT = Kind(_OF_TEXT, _text)
SWITCH = Kind(("eq", "ne"), _switch)
ANYTHING = Kind(tuple(OPERATORS), _plain)
"""What metadata holds."""
