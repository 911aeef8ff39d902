"""What a condition may ask of a value.

A value that is not there (None) meets `ne` and nothing else. Values of another type are never equal: the metadata "5" is
not 5, and true is not 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .patterns import matcher

Test = Callable[[Any], bool]


def _eq(wanted: Any) -> Test:
    kind = type(wanted) is bool
    return lambda actual: actual == wanted and (type(actual) is bool) is kind


def _ne(wanted: Any) -> Test:
    equals = _eq(wanted)
    return lambda actual: not equals(actual)


def _gt(wanted: float) -> Test:
    return lambda actual: _is_number(actual) and actual > wanted


def _gte(wanted: float) -> Test:
    return lambda actual: _is_number(actual) and actual >= wanted


def _lt(wanted: float) -> Test:
    return lambda actual: _is_number(actual) and actual < wanted


def _lte(wanted: float) -> Test:
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


OPERATORS: dict[str, Callable[[Any], Test]] = {
    "eq": _eq,
    "ne": _ne,
    "gt": _gt,
    "gte": _gte,
    "lt": _lt,
    "lte": _lte,
    "in": _in,
    "contains": _contains,
    "matches": _matches,
}
