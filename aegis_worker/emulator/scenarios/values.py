"""The values of a scenario's keys: what each may be is said where one is not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

_One = TypeVar("_One", str, int)
_LONGEST = 500


class Wrong(ValueError):
    """The value under `key` is not what it may be."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key = key


def text(given: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """A text of at most 500 characters. Raises Wrong, also where it is missing and there is no default."""
    value = given.get(key, default)
    if value is None:
        raise Wrong(key, "is missing")
    if type(value) is not str or len(value) > _LONGEST or (default is None and not value):
        raise Wrong(key, f"a text of at most {_LONGEST} characters, not {shown(value)}")
    return value


def whole(given: Mapping[str, Any], key: str, least: int, most: int, default: int) -> int:
    """A whole number. Raises Wrong."""
    value = given.get(key, default)
    if key in given and (type(value) is not int or not least <= value <= most):
        raise Wrong(key, f"a whole number from {least} to {most}, not {shown(value)}")
    return int(value)


def fraction(given: Mapping[str, Any], key: str, default: float) -> float:
    """A number from 0 to 1. Raises Wrong."""
    value = given.get(key, default)
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise Wrong(key, f"a number from 0 to 1, not {shown(value)}")
    return float(value)


def one_or_more(
    given: Mapping[str, Any],
    key: str,
    kind: type[_One],
    allowed: Sequence[_One] = (),
    least: int = 0,
    most: int = 0,
) -> list[_One]:
    """One value or a list of them, each one of the `allowed`, or a number from `least` to `most`. Raises Wrong."""
    value = given.get(key, [])
    values = value if type(value) is list else [value]
    said = ", ".join(str(one) for one in allowed) if allowed else f"{least} to {most}"
    if key in given and not values:
        raise Wrong(key, f"one or a list of {said}, not an empty list")
    for one in values:
        is_one = type(one) is kind and (one in allowed if allowed else least <= int(one) <= most)
        if not is_one:
            raise Wrong(key, f"one or a list of {said}, not {shown(one)}")
    return values


def within(given: Mapping[str, Any], key: str, most: int) -> tuple[int, int | None]:
    """A number, or `{ from = …, to = … }` with one of both at least: the least and the most. Raises Wrong."""
    if key not in given:
        return 0, None
    value = given[key]
    if type(value) is int and 0 <= value <= most:
        return value, value
    allowed = f"minor units, or {{ from = …, to = … }} of them, from 0 to {most}"
    if type(value) is not dict or not value or set(value) - {"from", "to"}:
        raise Wrong(key, f"{allowed}, not {shown(value)}")
    bounds = [value.get("from", 0), value.get("to", most)]
    if any(type(bound) is not int or not 0 <= bound <= most for bound in bounds) or bounds[0] > bounds[1]:
        raise Wrong(key, f"{allowed}, not {shown(value)}")
    return bounds[0], bounds[1]


def table(given: Mapping[str, Any], key: str) -> dict[str, str]:
    """A table of texts by name. Raises Wrong."""
    value = given.get(key, {})
    is_one = type(value) is dict and all(type(one) is str and one for one in value.values())
    if not is_one:
        raise Wrong(key, f'a table of texts such as {{ "user-agent" = "Stripe*" }}, not {shown(value)}')
    return dict(value)


def shown(value: Any) -> str:
    """A value as it is quoted in what is said of it."""
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:60]}…"
