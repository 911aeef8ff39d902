"""The names that operators had before: documents that still have them are read as if they had the names of now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NOW = {
    "equals": "eq",
    "not_equals": "ne",
    "greater_than": "gt",
    "greater_or_equal": "gte",
    "less_than": "lt",
    "less_or_equal": "lte",
}


def renewed(document: Any) -> Any:
    """The document with the operators of its rules' conditions named as now. Whatever else is in it stays as it is."""
    if not isinstance(document, Mapping) or not isinstance(document.get("rules"), list):
        return document
    return {**document, "rules": [_rule(rule) for rule in document["rules"]]}


def _rule(rule: Any) -> Any:
    if not isinstance(rule, Mapping) or not isinstance(rule.get("conditions"), list):
        return rule
    return {**rule, "conditions": [_condition(condition) for condition in rule["conditions"]]}


def _condition(condition: Any) -> Any:
    if not isinstance(condition, Mapping):
        return condition
    operator = condition.get("operator")
    if not isinstance(operator, str) or operator not in _NOW:
        return condition
    return {**condition, "operator": _NOW[operator]}
