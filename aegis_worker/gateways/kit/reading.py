"""Reads the fields of a gateway's JSON. A field of the wrong type or size makes the whole answer unreadable. Pure.

A bool is not a number, `"1999"` is not an amount, and text that PostgreSQL can't store is not an id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.strict_json import MalformedJson, parse

LONGEST_ID = 255
_LONGEST_TEXT, _LONGEST_URL = 500, 2048
_LATEST_S = 253_402_300_799
_NETWORK_TRANSACTION = re.compile(r"[A-Za-z0-9_-]{4,64}")
Word = TypeVar("Word", bound=str)


class Unreadable(ValueError):
    """The answer can't be read. The message says which part of it, without repeating that part."""


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object in an answer. Raises Unreadable, also for JSON that two readers would read differently."""
    try:
        return parse(body)
    except MalformedJson as problem:
        raise Unreadable(str(problem)) from problem


def identifier(body: Mapping[str, Any], name: str) -> str:
    """An id or a reference: printable text of 1 to LONGEST_ID characters. Raises Unreadable."""
    value = body.get(name)
    if type(value) is not str or not 0 < len(value) <= LONGEST_ID or not value.isprintable():
        raise Unreadable(f"{name} is no id")
    return value


def minor_units(body: Mapping[str, Any], name: str) -> int:
    """An amount in minor units, at least 0. Raises Unreadable."""
    value = body.get(name)
    if type(value) is not int or not 0 <= value <= MAX_MINOR:
        raise Unreadable(f"{name} is no amount in minor units")
    return value


def moment_s(body: Mapping[str, Any], name: str) -> int:
    """A moment in whole seconds since 1970, up to the year 9999. Raises Unreadable."""
    value = body.get(name)
    if type(value) is not int or not 0 <= value <= _LATEST_S:
        raise Unreadable(f"{name} is no moment")
    return value


def currency(body: Mapping[str, Any], name: str = "currency") -> str:
    """An ISO 4217 currency code. Raises Unreadable."""
    value = body.get(name)
    if type(value) is not str or value not in EXPONENTS:
        raise Unreadable(f"{name} is no currency")
    return value


def one_of(body: Mapping[str, Any], name: str, known: frozenset[Word]) -> Word:
    """One of the words that the gateway documents. Raises Unreadable."""
    value = body.get(name)
    found = next((word for word in known if word == value), None) if type(value) is str else None
    if found is None:
        raise Unreadable(f"{name} is no known word")
    return found


def child(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object under `name`. Raises Unreadable."""
    value = body.get(name)
    if type(value) is not dict:
        raise Unreadable(f"{name} is no object")
    return value


def children(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of objects under `name`. Raises Unreadable."""
    value = body.get(name)
    if type(value) is not list or any(type(item) is not dict for item in value):
        raise Unreadable(f"{name} is no list of objects")
    return value


def address(body: Mapping[str, Any], name: str) -> str:
    """A URL of at most 2,048 characters. Raises Unreadable."""
    value = body.get(name)
    if type(value) is not str or len(value) > _LONGEST_URL or not value.isprintable():
        raise Unreadable(f"{name} is no address")
    if not value.startswith(("https://", "http://")):
        raise Unreadable(f"{name} is no address")
    return value


def words(body: Mapping[str, Any], name: str) -> str:
    """Text for people, cut to a limit, without characters that can't be stored or shown. Empty if there is none."""
    value = body.get(name)
    if type(value) is not str:
        return ""
    return "".join(letter if letter.isprintable() else " " for letter in value[:_LONGEST_TEXT])


def network_transaction_id(body: Mapping[str, Any], name: str) -> str | None:
    """A card network's id of a charge; None where there is none, or none that could be sent on. Never raises, because
    nothing of the charge itself depends on it.
    """
    value = body.get(name)
    given = value.strip() if type(value) is str else ""
    return given if _NETWORK_TRANSACTION.fullmatch(given) else None
