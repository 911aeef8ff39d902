"""Rules: which gateway goes first for payments that meet all of a rule's conditions.

A value that the payment doesn't have (no country, no such metadata, or null) meets `not_equals` and nothing else. Values of
another type are never equal: the metadata "5" is not 5, and true is not 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from aegis_worker.domain.payment import Payment

from .patterns import matcher

METADATA = "metadata."

Test = Callable[[Any], bool]

# What a condition may look at, besides metadata.KEY.
FIELDS: dict[str, Callable[[Payment], Any]] = {
    "amount": attrgetter("amount.minor"),
    "currency": attrgetter("amount.currency"),
    "payment_method": lambda payment: payment.payment_method["type"],
    "customer_country": lambda payment: payment.customer.get("country"),
    "merchant_id": attrgetter("merchant_id"),
}


def _equals(wanted: Any) -> Test:
    kind = type(wanted) is bool
    return lambda actual: actual == wanted and (type(actual) is bool) is kind


def _not_equals(wanted: Any) -> Test:
    equals = _equals(wanted)
    return lambda actual: not equals(actual)


def _greater_than(wanted: float) -> Test:
    return lambda actual: _is_number(actual) and actual > wanted


def _greater_or_equal(wanted: float) -> Test:
    return lambda actual: _is_number(actual) and actual >= wanted


def _less_than(wanted: float) -> Test:
    return lambda actual: _is_number(actual) and actual < wanted


def _less_or_equal(wanted: float) -> Test:
    return lambda actual: _is_number(actual) and actual <= wanted


def _in(wanted: tuple[Any, ...]) -> Test:
    known = frozenset((type(item) is bool, item) for item in wanted)
    return lambda actual: (type(actual) is bool, actual) in known


def _contains(wanted: str) -> Test:
    return lambda actual: isinstance(actual, str) and wanted in actual


def _matches(wanted: str) -> Test:
    matches = matcher(wanted)
    return lambda actual: isinstance(actual, str) and matches(actual)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


# What a condition may ask of a field's value.
OPERATORS: dict[str, Callable[[Any], Test]] = {
    "equals": _equals,
    "not_equals": _not_equals,
    "greater_than": _greater_than,
    "greater_or_equal": _greater_or_equal,
    "less_than": _less_than,
    "less_or_equal": _less_or_equal,
    "in": _in,
    "contains": _contains,
    "matches": _matches,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a field of the payment with a value; `amount` in minor units of whatever currency it is in."""

    field: str
    operator: str
    value: Any
    met_by: Test = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "met_by", _compiled(self.field, self.operator, self.value))


def _compiled(name: str, operator: str, value: Any) -> Test:
    read, test = FIELDS.get(name), OPERATORS[operator](value)
    if read is not None:
        return lambda payment: test(read(payment))
    key = name.removeprefix(METADATA)
    return lambda payment: test(payment.terms.metadata.get(key))


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """`gateway` goes first for a payment that meets every condition. Of several rules the lowest `priority` wins, then
    the one that stands first in the document.
    """

    id: str
    gateway: str
    conditions: tuple[Condition, ...]
    priority: int = 100
    enabled: bool = True
    description: str = ""
    met_by: Test = dataclasses.field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "met_by", _all([condition.met_by for condition in self.conditions]))


def _all(tests: Sequence[Test]) -> Test:
    """One test that makes all of these in order, and stops at the first that fails, as most of hundreds of rules do."""
    first, *others = tests
    if not others:
        return first
    rest = _all(others)
    return lambda payment: first(payment) and rest(payment)
