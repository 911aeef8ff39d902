"""A plan from TOML, read strictly: what is wrong is said with its file, its line, and what is allowed there."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from aegis_worker.domain.outcomes import Operation
from aegis_worker.errors import ConfigurationError
from aegis_worker.toml_file import read_text, read_toml
from aegis_worker.toml_lines import line_of

from .plan import LOOK_UP, OF_CALLS, Injection, Kind, Plan

# Each is a label of a metric, and each is looked at for every call.
MOST_INJECTIONS = 64
_LONGEST_S, _LONGEST_MS = 86_400.0, 600_000.0
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_OPERATIONS = (*(one.value for one in Operation), LOOK_UP)

_TOP = ("seed", "begins_at", "injections")
_WINDOW = ("id", "kind", "from_s", "until_s")
_CHANCE = (*_WINDOW, "probability", "cap", "every_s", "lasts_s")
_GATEWAYS = ("gateways", "step_s", "operations")
_PAYMENTS = ("merchants", "share", "sends")
_DELAY = ("delay_ms", "jitter_ms")
_OWN: Mapping[Kind, tuple[str, ...]] = {
    Kind.LATENCY: _DELAY,
    Kind.TIMEOUT: ("reaches",),
    Kind.HTTP_429: ("retry_after_s",),
    Kind.HTTP_500: ("reaches",),
    Kind.HTTP_503: ("reaches", "retry_after_s"),
    Kind.REDIS_SLOW: _DELAY,
    Kind.POSTGRES_SLOW: _DELAY,
    Kind.MESSAGE_DELAYED: _DELAY,
}
_NEEDED: Mapping[Kind, str] = {
    Kind.LATENCY: "delay_ms",
    Kind.REDIS_SLOW: "delay_ms",
    Kind.POSTGRES_SLOW: "delay_ms",
    Kind.MESSAGE_DELAYED: "delay_ms",
    Kind.CLOCK_OFFSET: "offset_s",
}


class Wrong(ValueError):
    """What is wrong with the value of `key`."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


def read_plan(path: Path, gateways: Collection[str]) -> Plan:
    """The plan in the file; `gateways` are the names it may use. Raises ConfigurationError, one line for each mistake."""
    document, text = read_toml(path), read_text(path)
    problems: list[str] = []

    def wrong(table: str, index: int, mistake: Wrong) -> None:
        line = line_of(text, (table, index, mistake.key) if table else (mistake.key,))
        where = f"line {line}" if line else f"{table} {index + 1}"
        problems.append(f"{path}: {where}: {mistake.key}: {mistake}")

    for mistake in unknown_keys(document, _TOP):
        wrong("", 0, mistake)
    seed, begins_at = 0, None
    try:
        seed = whole(document, "seed", 0, 2**63 - 1, 0)
        begins_at = _moment(document, "begins_at")
    except Wrong as mistake:
        wrong("", 0, mistake)
    injections = read_injections(
        document, gateways, lambda index, mistake: wrong("injections", index, mistake)
    )
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Plan(seed, injections, begins_at, hashlib.sha256(path.read_bytes()).hexdigest())


def read_injections(
    document: Mapping[str, Any], gateways: Collection[str], wrong: Callable[[int, Wrong], None]
) -> tuple[Injection, ...]:
    """The tables `[[injections]]` of a document; each mistake is told to `wrong` with the table's place, from 0."""
    tables = document.get("injections", [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        wrong(0, Wrong("injections", "must be tables, each headed [[injections]]"))
        return ()
    if not 1 <= len(tables) <= MOST_INJECTIONS:
        wrong(0, Wrong("injections", f"there must be 1 to {MOST_INJECTIONS} tables [[injections]]"))
        return ()
    found: list[Injection] = []
    for index, table in enumerate(tables):
        try:
            one = _injection(table, gateways)
            if one.id in [other.id for other in found]:
                raise Wrong("id", f"{one.id} is the id of an earlier injection")
            found.append(one)
        except Wrong as mistake:
            wrong(index, mistake)
    return tuple(found)


def unknown_keys(table: Mapping[str, Any], known: Collection[str]) -> list[Wrong]:
    """A mistake for each key that nothing reads."""
    return [
        Wrong(key, f"is not known here; there are {', '.join(known)}") for key in table if key not in known
    ]


def _injection(table: Mapping[str, Any], gateways: Collection[str]) -> Injection:
    kind = Kind(one_of(table, "kind", [kind.value for kind in Kind]))
    for mistake in unknown_keys(table, _keys_of(kind)):
        raise mistake
    if kind in _NEEDED and _NEEDED[kind] not in table:
        raise Wrong(_NEEDED[kind], f"is missing: {kind} needs it")
    name = table.get("id", kind.value)
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise Wrong("id", "must be 1 to 40 small letters, digits, - or _")
    one = Injection(
        id=name,
        kind=kind,
        probability=number(table, "probability", 0, 1, 1.0),
        from_s=number(table, "from_s", 0, _LONGEST_S, 0.0),
        until_s=number(table, "until_s", 0, _LONGEST_S, math.inf),
        every_s=_or_none(table, "every_s", 0.1, _LONGEST_S),
        lasts_s=_or_none(table, "lasts_s", 0.1, _LONGEST_S),
        cap=whole(table, "cap", 1, 10**9, 0) or None,
        gateways=names(table, "gateways", gateways),
        step_s=number(table, "step_s", 0, _LONGEST_S, 0.0),
        operations=names(table, "operations", _OPERATIONS),
        merchants=names(table, "merchants", None),
        share=number(table, "share", 0, 1, 1.0),
        sends=whole(table, "sends", 1, 1000, 0) or None,
        delay_ms=number(table, "delay_ms", 0, _LONGEST_MS, 0.0),
        jitter_ms=number(table, "jitter_ms", 0, _LONGEST_MS, 0.0),
        retry_after_s=whole(table, "retry_after_s", 0, 3600, -1) if "retry_after_s" in table else None,
        reaches=_flag(table, "reaches"),
        offset_s=number(table, "offset_s", -_LONGEST_S, _LONGEST_S, 0.0),
    )
    _fits(one)
    return one


def _keys_of(kind: Kind) -> tuple[str, ...]:
    if kind is Kind.CLOCK_OFFSET:
        return (*_WINDOW, "offset_s")
    scope: tuple[str, ...] = ()
    if kind in OF_CALLS:
        scope = (*_GATEWAYS, *_PAYMENTS)
    elif kind is Kind.NO_PERMITS:
        scope = _GATEWAYS
    return (*_CHANCE, *scope, *_OWN.get(kind, ()))


def _fits(one: Injection) -> None:
    if one.until_s <= one.from_s:
        raise Wrong("until_s", f"must be later than from_s, {one.from_s:g}")
    if (one.every_s is None) != (one.lasts_s is None):
        raise Wrong("every_s" if one.lasts_s is None else "lasts_s", "every_s and lasts_s come together")
    if one.every_s is not None and one.lasts_s is not None and one.lasts_s >= one.every_s:
        raise Wrong(
            "lasts_s", f"must be less than every_s, {one.every_s:g}: a burst ends before the next begins"
        )
    if one.step_s and len(one.gateways) < 2:
        raise Wrong("step_s", "needs several gateways, in the order in which they are struck")


def whole(table: Mapping[str, Any], key: str, least: int, most: int, default: int) -> int:
    """A whole number. Raises Wrong."""
    value = table.get(key, default)
    if key in table and (type(value) is not int or not least <= value <= most):
        raise Wrong(key, f"must be a whole number from {least} to {most}")
    return int(value)


def number(table: Mapping[str, Any], key: str, least: float, most: float, default: float) -> float:
    """A number. Raises Wrong."""
    value = table.get(key, default)
    if key in table and (type(value) not in (int, float) or not least <= value <= most):
        raise Wrong(key, f"must be a number from {least:g} to {most:g}")
    return float(value)


def one_of(table: Mapping[str, Any], key: str, words: Collection[str]) -> str:
    """One of these words. Raises Wrong."""
    value = table.get(key)
    if value not in words or not isinstance(value, str):
        raise Wrong(key, f"must be one of {', '.join(words)}")
    return value


def names(table: Mapping[str, Any], key: str, known: Collection[str] | None) -> tuple[str, ...]:
    """A list of different names, of those that are `known`; None: any. Raises Wrong."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise Wrong(key, "must be a list of names")
    if key in table and (not value or len(set(value)) != len(value)):
        raise Wrong(key, "must name at least one, and none twice")
    strange = [one for one in value if known is not None and one not in known]
    if strange and known is not None:
        raise Wrong(key, f"{strange[0]!r} is none of {', '.join(known)}")
    return tuple(value)


def _or_none(table: Mapping[str, Any], key: str, least: float, most: float) -> float | None:
    return number(table, key, least, most, 0.0) if key in table else None


def _flag(table: Mapping[str, Any], key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise Wrong(key, "must be true or false")
    return value


def _moment(table: Mapping[str, Any], key: str) -> float | None:
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise Wrong(key, "must be a time with an offset, such as 2026-01-31T12:00:00Z")
    return value.timestamp()
