"""Rules read from a document: each field has its operators, and each of them its type of value."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from aegis_worker.domain.countries import COUNTRIES
from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.metadata import is_key
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.domain.payment import METHODS
from aegis_worker.domain.text import is_line, is_lines

from .checks import Checks, Path, shown
from .patterns import matcher
from .rules import FIELDS, METADATA, OPERATORS, Condition, Rule

_MOST_RULES, _MOST_CONDITIONS, _MOST_VALUES = 500, 20, 500
_HIGHEST_PRIORITY = 1_000_000
_LONGEST_TEXT, _LONGEST_DESCRIPTION = 256, 500
_LARGEST = 2**63
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)

_ORDERING = ("greater_than", "greater_or_equal", "less_than", "less_or_equal")
_OF_TEXT = ("equals", "not_equals", "in", "contains", "matches")
_OF_AMOUNT = ("equals", "not_equals", "in", *_ORDERING)

# What is wrong with a value of the field, or None.
ValueCheck = Callable[[Any], str | None]


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
    conditions = [
        {
            "field": condition.field,
            "operator": condition.operator,
            "value": list(condition.value) if isinstance(condition.value, tuple) else condition.value,
        }
        for condition in rule.conditions
    ]
    document = {
        "id": rule.id,
        "priority": rule.priority,
        "enabled": rule.enabled,
        "gateway": rule.gateway,
        "conditions": conditions,
    }
    return document | ({"description": rule.description} if rule.description else {})


def _id(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> Any:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        checks.wrong(path, "must be 1 to 64 letters, digits, dots, dashes or _")
    return value


def _conditions(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> tuple[Condition, ...]:
    items = checks.items(path, value, _MOST_CONDITIONS)
    if value == []:
        checks.wrong(
            path, "must have at least one condition; the order for all other payments is the fallback list"
        )
    read = [_condition(checks, (*path, index), item) for index, item in enumerate(items)]
    return tuple(condition for condition in read if condition is not None)


def _condition(checks: Checks, path: Path, value: Any) -> Condition | None:
    table = checks.table(path, value, ("field", "operator", "value"))
    missing = [name for name in ("field", "operator", "value") if name not in table]
    for name in missing:
        checks.wrong((*path, name), "is missing")
    if missing:
        return None
    field, operator, wanted = table["field"], table["operator"], table["value"]
    if not _is_field(field):
        known = ", ".join((*FIELDS, f"{METADATA}KEY"))
        checks.wrong((*path, "field"), f"unknown field {shown(field)}; one of {known}")
        return None
    if checks.one_of((*path, "operator"), operator, OPERATORS, "operator") is None:
        return None
    if field in _OPERATORS_OF and operator not in _OPERATORS_OF[field]:
        checks.wrong((*path, "operator"), f"{field} takes {', '.join(_OPERATORS_OF[field])}; not {operator}")
        return None
    if not _right_value(checks, (*path, "value"), field, operator, wanted):
        return None
    return Condition(field, operator, tuple(wanted) if operator == "in" else wanted)


def _is_field(field: Any) -> bool:
    if not isinstance(field, str):
        return False
    return field in FIELDS or (field.startswith(METADATA) and is_key(field.removeprefix(METADATA)))


def _right_value(checks: Checks, path: Path, field: str, operator: str, wanted: Any) -> bool:
    before = checks.wrongs
    if operator == "in":
        items = checks.items(path, wanted, _MOST_VALUES)
        if wanted == []:
            checks.wrong(path, "must have at least one item")
        for index, item in enumerate(items):
            if wrong := _VALUE_OF.get(field, _plain)(item):
                checks.wrong((*path, index), wrong)
    elif wrong := _value_check(field, operator)(wanted):
        checks.wrong(path, wrong)
    return checks.wrongs == before


def _value_check(field: str, operator: str) -> ValueCheck:
    if operator == "matches":
        return _pattern
    if operator == "contains":
        return _text
    if operator in _ORDERING and field not in _VALUE_OF:
        return _number
    return _VALUE_OF.get(field, _plain)


def _amount(value: Any) -> str | None:
    if type(value) is not int or not 0 <= value <= MAX_MINOR:
        return f"must be whole minor units, from 0 to {MAX_MINOR}"
    return None


def _currency(value: Any) -> str | None:
    if not isinstance(value, str) or value not in EXPONENTS:
        return f"{shown(value)} is not an ISO 4217 currency that can be charged"
    return None


def _method(value: Any) -> str | None:
    if not isinstance(value, str) or value not in METHODS:
        return f"unknown payment method {shown(value)}; one of {', '.join(sorted(METHODS))}"
    return None


def _country(value: Any) -> str | None:
    if value not in COUNTRIES:
        return f"{shown(value)} is not a country of ISO 3166-1, in two capital letters"
    return None


def _text(value: Any) -> str | None:
    # What metadata may hold, a rule may compare with.
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_TEXT or not is_lines(value):
        return f"must be a string of 1 to {_LONGEST_TEXT} printable characters"
    return None


def _number(value: Any) -> str | None:
    if type(value) not in (int, float) or not -_LARGEST <= value <= _LARGEST:
        return "must be a number"
    return None


def _plain(value: Any) -> str | None:
    if isinstance(value, bool) or _number(value) is None or _text(value) is None:
        return None
    return f"must be a number, true, false, or a string of 1 to {_LONGEST_TEXT} printable characters"


def _pattern(value: Any) -> str | None:
    if not isinstance(value, str) or not is_line(value):
        return "must be a regular expression in a string of printable characters"
    try:
        matcher(value)
    except ValueError as error:
        return str(error)
    return None


# What a field's values look like; metadata holds any plain value.
_VALUE_OF: Mapping[str, ValueCheck] = {
    "amount": _amount,
    "currency": _currency,
    "payment_method": _method,
    "customer_country": _country,
    "merchant_id": _text,
}

# Metadata takes every operator.
_OPERATORS_OF: Mapping[str, tuple[str, ...]] = {
    "amount": _OF_AMOUNT,
    "currency": _OF_TEXT,
    "payment_method": _OF_TEXT,
    "customer_country": _OF_TEXT,
    "merchant_id": _OF_TEXT,
}

_RULE: Mapping[str, Callable[[Checks, Path, Any, Collection[str]], Any]] = {
    "id": _id,
    "priority": lambda checks, path, value, _: checks.whole(path, value, 0, _HIGHEST_PRIORITY),
    "enabled": lambda checks, path, value, _: checks.switch(path, value),
    "description": lambda checks, path, value, _: checks.text(path, value, _LONGEST_DESCRIPTION),
    "conditions": _conditions,
    "gateway": lambda checks, path, value, gateways: checks.one_of(path, value, gateways, "gateway"),
}
