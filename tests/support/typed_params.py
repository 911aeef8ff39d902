"""Checks a request against the typed parameters of Stripe's official SDK."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

# Names that the SDK's modules import for type checkers only; none of them is in a body.
_FOR_TYPE_CHECKERS = {"Mapping": Mapping, "StripeContext": Any, "UntypedStripeObject": dict}


def misfits(form: Mapping[str, Any], params: type) -> list[str]:
    """What in the form's fields (texts, nested) is unknown to the typed dictionary, or of another type there."""
    return list(_misfits("", form, params))


def _misfits(where: str, value: Any, hint: Any) -> Iterator[str]:
    if hasattr(hint, "__required_keys__"):  # a TypedDict, whoever made it
        yield from _of_table(where, value, hint)
    elif get_origin(hint) in (Union, UnionType):
        tries = [list(_misfits(where, value, choice)) for choice in get_args(hint) if choice is not NoneType]
        if all(tries):
            yield from min(tries, key=len)
    elif get_origin(hint) is list:
        items = value if isinstance(value, list) else [None]
        for number, item in enumerate(items):
            yield from _misfits(f"{where}[{number}]", item, get_args(hint)[0])
    elif not _is(value, hint):
        yield f"{where}: {value!r} is no {hint}"


def _of_table(where: str, value: Any, hint: Any) -> Iterator[str]:
    known = get_type_hints(hint, vars(sys.modules[hint.__module__]), _FOR_TYPE_CHECKERS)
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no table"
        return
    for name, inner in value.items():
        if name not in known:
            yield f"{where}[{name}]: not known"
        else:
            yield from _misfits(f"{where}[{name}]", inner, known[name])


def _is(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(isinstance(inner, str) for inner in value.values())
    if not isinstance(value, str):
        return False
    if hint is int:
        return value.isascii() and value.isdecimal()
    return value in ("true", "false") if hint is bool else hint is str
