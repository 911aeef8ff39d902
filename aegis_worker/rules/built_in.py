"""The rules that come with AegisPay: each is a table of the document, and is off where that table is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.screening import Action
from aegis_worker.matching.checks import Checks, Path, shown
from aegis_worker.matching.conditions import Condition

from .fields import FIELDS
from .rule import RedisLoss, Rule
from .rule_checks import checked_effect, checked_loss
from .velocity import DECLINES, MOST_CARDS, Velocity, window_s

_EFFECT = ("enabled", "action", "score")
_MOST = 1_000_000_000

# A rule's id after the name of its table, its conditions and its velocities.
_Parts = tuple[str, tuple[Condition, ...], tuple[Velocity, ...]]
_Read = Callable[[Checks, Path, Mapping[str, Any]], Iterator[_Parts]]


def checked_built_in(checks: Checks, name: str, value: Any, default: RedisLoss) -> tuple[Rule, ...]:
    """The rules that a table switches on; what is wrong is noted."""
    known, action, read = BUILT_IN[name]
    table, before = checks.table((name,), value, (*_EFFECT, *known)), checks.wrongs
    enabled = checks.switch((name, "enabled"), table.get("enabled", True))
    does, score = checked_effect(checks, (name,), table, action)
    given = table.get("on_redis_loss", default) if "on_redis_loss" in known else default
    loss = checked_loss(checks, (name, "on_redis_loss"), given, default)
    parts = list(read(checks, (name,), table))
    if checks.wrongs > before:
        return ()
    if not parts:
        checks.wrong((name,), f"must have a limit: one of {', '.join(_limits(known))}")
        return ()
    return tuple(
        Rule(f"{name}{of}", conditions, velocity, does, score, bool(enabled), on_redis_loss=loss)
        for of, conditions, velocity in parts
    )


def _limits(known: tuple[str, ...]) -> list[str]:
    return [name for name in known if name not in ("window", "on_redis_loss")]


def _high_value(checks: Checks, path: Path, table: Mapping[str, Any]) -> Iterator[_Parts]:
    for currency, minor in _by_currency(checks, (*path, "above"), table.get("above", {})):
        yield f".{currency}", (_is("currency", "eq", currency), _is("amount", "gt", minor)), ()


def _country_mismatch(checks: Checks, path: Path, table: Mapping[str, Any]) -> Iterator[_Parts]:
    yield "", (_is("countries_differ", "eq", True),), ()


def _velocity(checks: Checks, path: Path, table: Mapping[str, Any]) -> Iterator[_Parts]:
    window = _window(checks, path, table)
    for by in _BY:
        if f"per_{by}" in table:
            most = checks.whole((*path, f"per_{by}"), table[f"per_{by}"], 1, _MOST)
            yield f".{by}", (), (Velocity(f"velocity.{by}.count", "gt", most or 1, window),)


def _card_testing(checks: Checks, path: Path, table: Mapping[str, Any]) -> Iterator[_Parts]:
    window = _window(checks, path, table)
    for by in ("ip", "customer", "email"):
        if (name := f"cards_per_{by}") in table:
            most = checks.whole((*path, name), table[name], 1, MOST_CARDS - 1)
            yield f".{name}", (), (Velocity(f"velocity.{by}.cards", "gt", most or 1, window),)
    for by in _DECLINES_BY:
        if (name := f"declines_per_{by}") in table:
            most = checks.whole((*path, name), table[name], 1, _MOST)
            yield f".{name}", (), (Velocity(f"velocity.{by}.{DECLINES}", "gt", most or 1, window),)
    small = list(_by_currency(checks, (*path, "small"), table.get("small", {})))
    counted = [by for by in ("ip", "customer", "email") if f"small_per_{by}" in table]
    if bool(small) is not bool(counted):
        missing = "small_per_ip, small_per_customer or small_per_email" if small else "small"
        checks.wrong(path, f"lacks {missing}: small amounts need both")
    for by in counted:
        name = f"small_per_{by}"
        most = checks.whole((*path, name), table[name], 1, _MOST)
        for currency, minor in small:
            conditions = (_is("currency", "eq", currency), _is("amount", "lte", minor))
            yield (
                f".{name}.{currency}",
                conditions,
                (Velocity(f"velocity.{by}.count", "gt", most or 1, window),),
            )


def _is(field: str, operator: str, value: Any) -> Condition:
    return Condition(field, operator, value, FIELDS)


def _window(checks: Checks, path: Path, table: Mapping[str, Any]) -> str:
    given = table.get("window", "1h")
    if window_s(given) is None:
        checks.wrong((*path, "window"), "must be a time such as 90s, 15m, 1h or 7d, from 1s to 30d")
        return "1h"
    return str(given)


def _by_currency(checks: Checks, path: Path, value: Any) -> Iterator[tuple[str, int]]:
    for currency, minor in checks.table(path, value).items():
        if currency not in EXPONENTS:
            checks.wrong(
                (*path, currency), f"{shown(currency)} is not an ISO 4217 currency that can be charged"
            )
        elif (whole := checks.whole((*path, currency), minor, 0, MAX_MINOR)) is not None:
            yield currency, whole


_BY = ("card", "customer", "email", "ip", "merchant")
_DECLINES_BY = ("ip", "customer", "email", "card")
_COUNTING = ("window", "on_redis_loss")

BUILT_IN: Mapping[str, tuple[tuple[str, ...], Action, _Read]] = {
    "high_value": (("above",), Action.REVIEW, _high_value),
    "country_mismatch": ((), Action.REVIEW, _country_mismatch),
    "velocity": ((*_COUNTING, *(f"per_{by}" for by in _BY)), Action.REVIEW, _velocity),
    "card_testing": (
        (
            *_COUNTING,
            *(f"cards_per_{by}" for by in ("ip", "customer", "email")),
            *(f"declines_per_{by}" for by in _DECLINES_BY),
            "small",
            *(f"small_per_{by}" for by in ("ip", "customer", "email")),
        ),
        Action.BLOCK,
        _card_testing,
    ),
}
"""By name: the settings of its table besides enabled, action and score; what it does where the table doesn't say; how its
rules are read.
"""
