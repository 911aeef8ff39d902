"""Rules read from a document."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from aegis_worker.matching.checks import Checks, Path
from aegis_worker.matching.condition_checks import MOST_CONDITIONS, checked_condition, checked_id
from aegis_worker.matching.conditions import Condition, condition_document

from .rules import FIELDS, Rule

_MOST_RULES = 500
_HIGHEST_PRIORITY = 1_000_000
_LONGEST_DESCRIPTION = 500


def checked_rules(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> tuple[Rule, ...]:
    """The rules of a list, in its order; what is wrong is noted."""
    rules = []
    place_of: dict[str, int] = {}
    for index, item in enumerate(checks.items(path, value, _MOST_RULES)):
        at = (*path, index)
        table = checks.table(at, item, _RULE)
        before = checks.wrongs
        given = {
            name: check(checks, (*at, name), table[name], gateways)
            for name, check in _RULE.items()
            if name in table
        }
        for name in ("id", "gateway", "conditions"):
            if name not in table:
                checks.wrong((*at, name), "is missing")
        if "id" in table and place_of.setdefault(str(table["id"]), index) != index:
            checks.wrong((*at, "id"), f"rules[{place_of[str(table['id'])]}] has this id already")
        if checks.wrongs == before:
            rules.append(Rule(**given))
    return tuple(rules)


def rule_document(rule: Rule) -> dict[str, Any]:
    """The table that describes a rule."""
    document = {
        "id": rule.id,
        "priority": rule.priority,
        "enabled": rule.enabled,
        "gateway": rule.gateway,
        "conditions": [condition_document(condition) for condition in rule.conditions],
    }
    return document | ({"description": rule.description} if rule.description else {})


def _conditions(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> tuple[Condition, ...]:
    items = checks.items(path, value, MOST_CONDITIONS)
    if value == []:
        checks.wrong(
            path, "must have at least one condition; the order for all other payments is the fallback list"
        )
    read = [checked_condition(checks, (*path, index), item, FIELDS) for index, item in enumerate(items)]
    return tuple(condition for condition in read if condition is not None)


_RULE: Mapping[str, Callable[[Checks, Path, Any, Collection[str]], Any]] = {
    "id": lambda checks, path, value, _: checked_id(checks, path, value),
    "priority": lambda checks, path, value, _: checks.whole(path, value, 0, _HIGHEST_PRIORITY),
    "enabled": lambda checks, path, value, _: checks.switch(path, value),
    "description": lambda checks, path, value, _: checks.text(path, value, _LONGEST_DESCRIPTION),
    "conditions": _conditions,
    "gateway": lambda checks, path, value, gateways: checks.one_of(path, value, gateways, "gateway"),
}
