"""Rules read from a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.screening import HIGHEST_SCORE, Action
from aegis_worker.matching.checks import Checks, Path, shown
from aegis_worker.matching.condition_checks import MOST_CONDITIONS, checked_condition, checked_id
from aegis_worker.matching.conditions import Condition

from . import fields, velocity
from .rule import ACTIONS, ON_REDIS_LOSS, RedisLoss, Rule
from .velocity import PREFIX, Velocity

MOST_RULES, _MOST_VELOCITIES = 200, 4
_LONGEST_DESCRIPTION = 200
_PARTS = ("field", "operator", "value")
_LARGEST = {
    "count": 1_000_000_000,
    "sum": MAX_MINOR,
    "cards": velocity.MOST_CARDS - 1,
    "declines": 1_000_000_000,
}
_KNOWN = ("id", "enabled", "description", "action", "score", "on_redis_loss", "conditions")


def checked_rules(
    checks: Checks, path: Path, value: Any, default: RedisLoss, taken: Mapping[str, str]
) -> tuple[Rule, ...]:
    """The rules of a list, in its order; what is wrong is noted. `taken`: whose ids have a rule already."""
    place_of = dict(taken)
    rules = []
    for index, item in enumerate(checks.items(path, value, MOST_RULES)):
        rule = _rule(checks, (*path, index), item, default)
        if isinstance(item, Mapping) and "id" in item:
            name, here = str(item["id"]), f"rules[{index}]"
            if place_of.setdefault(name, here) != here:
                checks.wrong((*path, index, "id"), f"{place_of[name]} has this id already")
        if rule is not None:
            rules.append(rule)
    return tuple(rules)


def _rule(checks: Checks, path: Path, value: Any, default: RedisLoss) -> Rule | None:
    table, before = checks.table(path, value, _KNOWN), checks.wrongs
    if "id" not in table:
        checks.wrong((*path, "id"), "is missing")
    id_ = checked_id(checks, (*path, "id"), table.get("id")) if "id" in table else ""
    enabled = checks.switch((*path, "enabled"), table.get("enabled", True))
    description = ""
    if "description" in table:
        description = checks.text((*path, "description"), table["description"], _LONGEST_DESCRIPTION) or ""
    action, score = checked_effect(checks, path, table)
    loss = checked_loss(checks, (*path, "on_redis_loss"), table.get("on_redis_loss", default), default)
    conditions, velocities = _conditions(checks, (*path, "conditions"), table)
    if "on_redis_loss" in table and not velocities and checks.wrongs == before:
        checks.wrong((*path, "on_redis_loss"), "is for rules with a velocity, which alone asks Redis")
    if checks.wrongs > before or not isinstance(table, Mapping):
        return None
    return Rule(id_, conditions, velocities, action, score, bool(enabled), description, loss)


def checked_effect(
    checks: Checks, path: Path, table: Mapping[str, Any], default: Action | None = None
) -> tuple[Action | None, int | None]:
    """The action or the score of a rule."""
    if "action" in table and "score" in table:
        checks.wrong((*path, "score"), "stands beside an action: a rule has one of both")
    if "score" in table:
        return None, checks.whole((*path, "score"), table["score"], 1, HIGHEST_SCORE)
    if "action" not in table:
        if default is None:
            checks.wrong((*path, "action"), "is missing: a rule has an action or a score")
        return default, None
    return checked_action(checks, (*path, "action"), table["action"]), None


def checked_action(checks: Checks, path: Path, value: Any) -> Action | None:
    """What a rule does."""
    found = checks.one_of(path, value, [action.value for action in ACTIONS], "action")
    return Action(found) if found is not None else None


def checked_loss(checks: Checks, path: Path, value: Any, default: RedisLoss) -> RedisLoss:
    """What holds where Redis can't be asked."""
    found = checks.one_of(path, value, ON_REDIS_LOSS, "policy")
    return next((policy for policy in ON_REDIS_LOSS if policy == found), default)


def _conditions(
    checks: Checks, path: Path, rule: Mapping[str, Any]
) -> tuple[tuple[Condition, ...], tuple[Velocity, ...]]:
    if "conditions" not in rule:
        checks.wrong(path, "is missing")
        return (), ()
    if rule["conditions"] == []:
        checks.wrong(path, "must have at least one condition")
    conditions: list[Condition] = []
    velocities: list[Velocity] = []
    for index, item in enumerate(checks.items(path, rule["conditions"], MOST_CONDITIONS)):
        at = (*path, index)
        if _is_velocity(item):
            if (found := _velocity(checks, at, item)) is not None:
                velocities.append(found)
        elif isinstance(item, Mapping) and isinstance(item.get("field"), str) and _unknown(item["field"]):
            known = ", ".join((*fields.FIELDS, "metadata.KEY", *velocity.FIELDS))
            checks.wrong((*at, "field"), f"unknown field {shown(item['field'])}; one of {known}")
        elif (condition := checked_condition(checks, at, item, fields.FIELDS)) is not None:
            conditions.append(condition)
    if len(velocities) > _MOST_VELOCITIES:
        checks.wrong(path, f"must have at most {_MOST_VELOCITIES} velocities, not {len(velocities)}")
    return tuple(conditions), tuple(velocities)


def _is_velocity(item: Any) -> bool:
    return (
        isinstance(item, Mapping) and isinstance(item.get("field"), str) and item["field"].startswith(PREFIX)
    )


def _unknown(field: str) -> bool:
    return fields.FIELDS.field(field) is None


def _velocity(checks: Checks, path: Path, item: Mapping[str, Any]) -> Velocity | None:
    before = checks.wrongs
    table = checks.table(path, item, (*_PARTS, "window", "refused_count"))
    for name in ("operator", "value", "window"):
        if name not in table:
            checks.wrong((*path, name), "is missing")
    field = checks.one_of((*path, "field"), table["field"], velocity.FIELDS, "velocity")
    operator = checks.one_of(
        (*path, "operator"), table.get("operator", "gt"), ("gt", "gte"), "operator of a velocity"
    )
    if "window" in table and velocity.window_s(table["window"]) is None:
        checks.wrong((*path, "window"), "must be a time such as 90s, 15m, 1h or 7d, from 1s to 30d")
    refused_count = checks.switch((*path, "refused_count"), table.get("refused_count", True))
    if refused_count is False and field is not None and field.endswith(f".{velocity.DECLINES}"):
        checks.wrong(
            (*path, "refused_count"),
            "is for what is counted when a payment is screened, and not for declines",
        )
    value = None
    if "value" in table and field is not None and operator is not None:
        lowest = 1 if operator == "gte" else 0
        value = checks.whole((*path, "value"), table["value"], lowest, _LARGEST[field.rsplit(".", 1)[1]])
    if checks.wrongs > before or field is None or operator is None or value is None:
        return None
    return Velocity(field, operator, value, str(table["window"]), refused_count is not False)
