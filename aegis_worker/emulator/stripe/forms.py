"""Reads form-encoded bodies with brackets, as `card[token]=tok_visa&expand[]=latest_charge`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from .errors import Refused

MOST_FIELDS = 500
_MOST_AMOUNT = 99_999_999
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


def parse(raw: bytes) -> dict[str, Any]:
    """The fields as nested objects and lists; every value is a text. Raises Refused(400)."""
    try:
        pairs = parse_qsl(
            raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), max_num_fields=MOST_FIELDS
        )
    except ValueError as problem:
        raise Refused(400, "Invalid request body: it is no form.") from problem
    tree: dict[str, Any] = {}
    for name, value in pairs:
        found = _NAME.fullmatch(name)
        if found is None:
            raise Refused(400, f"Invalid field name: {name[:50]}", param=name[:50])
        _put(tree, [found[1], *_PART.findall(found[2])], value)
    return {name: _with_lists(value) for name, value in tree.items()}


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part or str(len(tree)), {})
        if type(tree) is not dict:
            raise Refused(400, f"Invalid object: {path[0]}", param=path[0])
    last = path[-1] or str(len(tree))
    if last in tree:
        raise Refused(400, f"{path[0]} is given twice.", param=path[0])
    tree[last] = value


def _with_lists(value: Any) -> Any:
    if type(value) is not dict:
        return value
    if value and all(name.isdecimal() for name in value):
        return [_with_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _with_lists(inner) for name, inner in value.items()}


def check_names(form: Mapping[str, Any], known: frozenset[str], required: frozenset[str]) -> None:
    """Every field known, every required one there. Raises Refused(400)."""
    for name in form:
        if name not in known:
            raise Refused(400, f"Received unknown parameter: {name}", "parameter_unknown", param=name)
    for name in sorted(required):
        if name not in form:
            raise Refused(400, f"Missing required param: {name}.", "parameter_missing", param=name)


def text(form: Mapping[str, Any], name: str) -> str:
    """A text, empty if there is none. Raises Refused(400)."""
    value = form.get(name, "")
    if type(value) is not str or len(value) > 5000:
        raise Refused(400, f"Invalid string: {name}", param=name)
    return value


def truth(form: Mapping[str, Any], name: str) -> bool:
    """A bool, False if there is none. Raises Refused(400)."""
    value = form.get(name, "false")
    if value not in ("true", "false"):
        raise Refused(400, f"Invalid boolean: {name}", param=name)
    return bool(value == "true")


def amount(form: Mapping[str, Any], name: str) -> int | None:
    """An amount of at least 1, in the currency's smallest unit. None if there is none. Raises Refused(400)."""
    value = form.get(name)
    if value is None:
        return None
    if type(value) is not str or not value.isascii() or not value.isdecimal():
        raise Refused(400, f"Invalid integer: {name}", "parameter_invalid_integer", param=name)
    if len(value) > 8 or not 0 < int(value) <= _MOST_AMOUNT:
        code = "amount_too_small" if value.strip("0") == "" else "amount_too_large"
        raise Refused(400, f"{name} must be from 1 to {_MOST_AMOUNT}.", code, param=name)
    return int(value)


def one_of(form: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    """One of `known`, the first if there is none. Raises Refused(400)."""
    value = form.get(name, known[0])
    if value not in known:
        raise Refused(400, f"Invalid {name}: must be one of {', '.join(known)}", param=name)
    return str(value)


def texts(form: Mapping[str, Any], name: str) -> dict[str, str]:
    """`metadata` and the like: at most 50 texts of at most 500 characters. Raises Refused(400)."""
    value = form.get(name, {})
    fits = type(value) is dict and len(value) <= 50 and all(len(key) <= 40 for key in value)
    if not fits or any(type(inner) is not str or len(inner) > 500 for inner in value.values()):
        raise Refused(400, f"Invalid object: {name}", param=name)
    return dict(value)
