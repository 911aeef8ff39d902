"""An experiment from TOML, read strictly: each mistake with its file, line and reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from aegis_worker.chaos.plan import Injection
from aegis_worker.chaos.reading import (
    Wrong,
    number,
    one_of,
    read_injections,
    unknown_keys,
    whole,
)
from aegis_worker.errors import ConfigurationError
from aegis_worker.lab.crash.schedule import OURS
from aegis_worker.toml_file import read_text, read_toml
from aegis_worker.toml_lines import line_of

from .experiment import Criteria, Experiment, Phases, Steady, Strike, Traffic

# Gateways are named by their place, so that an experiment runs on any configuration.
PLACES = ("first", "second", "third", "fourth", "fifth")
_TOP = ("about", "hypothesis", "seed", "phases", "load", "steady_state", "criteria", "injections", "strikes")
_STRIKES = tuple(kind for kind in OURS if kind != "crash point")
_LONGEST_S = 86_400.0
_SHARE, _MS, _COUNT = (0.0, 1.0), (1.0, 600_000.0), (0, 10**6)
_OF_CRITERIA: Mapping[str, tuple[float, float]] = {
    "success_rate": _SHARE,
    "p95_ms": _MS,
    "recovered_success_rate": _SHARE,
    "recovered_p95_ms": _MS,
    "breaker_openings": _COUNT,
    "breaker_openings_at_most": _COUNT,
    "injections": _COUNT,
    "reviews_at_most": _COUNT,
}


def read_experiment(path: Path) -> Experiment:
    """The experiment in the file. Raises ConfigurationError, one line for each mistake."""
    document, text = read_toml(path), read_text(path)
    problems: list[str] = []

    def told(table: str, index: int, mistake: Wrong) -> None:
        line = line_of(text, (*_place(table, index), mistake.key))
        where = f"line {line}: " if line else ""
        problems.append(f"{path}: {where}{mistake.key}: {mistake}")

    def part(table: str, read: Callable[[Mapping[str, Any]], Any]) -> Any:
        try:
            return read(_table(document, table))
        except Wrong as mistake:
            told(table, 0, mistake)
            return None

    for mistake in unknown_keys(document, _TOP):
        told("", 0, mistake)
    about = part("", lambda _: _text(document, "about"))
    hypothesis = part("", lambda _: _text(document, "hypothesis"))
    seed = part("", lambda _: whole(document, "seed", 0, 2**63 - 1, 1))
    phases, traffic = part("phases", _phases), part("load", _traffic)
    steady, criteria = part("steady_state", _steady), part("criteria", _criteria)
    injections: tuple[Injection, ...] = ()
    if "injections" in document:
        injections = read_injections(
            document, PLACES, lambda index, mistake: told("injections", index, mistake)
        )
    strikes = _strikes(document, lambda index, mistake: told("strikes", index, mistake))
    if not injections and not strikes and not problems:
        problems.append(f"{path}: there is neither a table [[injections]] nor [[strikes]]: nothing is broken")
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Experiment(
        path.stem, about, hypothesis, seed, phases, traffic, steady, criteria, injections, strikes
    )


def experiments(folder: Path) -> list[Path]:
    """The files of a folder's experiments, by name."""
    return sorted(folder.glob("*.toml"))


def at_places(names: Sequence[str], gateways: Sequence[str]) -> tuple[str, ...]:
    """The gateways at these places. Raises ConfigurationError where there is none."""
    missing = [name for name in names if PLACES.index(name) >= len(gateways)]
    if missing:
        raise ConfigurationError(
            f"the experiment strikes the {missing[0]} gateway; there are {', '.join(gateways)}: name more by --gateways"
        )
    return tuple(gateways[PLACES.index(name)] for name in names)


def _place(table: str, index: int) -> tuple[str | int, ...]:
    """Of a table in the document: of several of one name, counted from 0."""
    if not table:
        return ()
    return (table, index) if table in ("injections", "strikes") else (table,)


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not name:
        return document
    table = document.get(name)
    if not isinstance(table, dict):
        raise Wrong(name, f"there must be a table [{name}]")
    return table


def _known(table: Mapping[str, Any], *keys: str) -> None:
    for mistake in unknown_keys(table, keys):
        raise mistake


def _needed(table: Mapping[str, Any], key: str, least: float, most: float) -> float:
    if key not in table:
        raise Wrong(key, "is missing")
    return number(table, key, least, most, 0.0)


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > 2000:
        raise Wrong(key, "must be a text of 1 to 2000 characters")
    return " ".join(value.split())


def _phases(table: Mapping[str, Any]) -> Phases:
    keys = ("steady_s", "faults_s", "recovery_s")
    _known(table, *keys)
    return Phases(*(_needed(table, key, 1.0, _LONGEST_S) for key in keys))


def _traffic(table: Mapping[str, Any]) -> Traffic:
    _known(table, "payments_per_s", "kind")
    kind = one_of(table, "kind", ("plain", "mixed")) if "kind" in table else "plain"
    return Traffic(_needed(table, "payments_per_s", 0.1, 1000.0), cast(Any, kind))


def _steady(table: Mapping[str, Any]) -> Steady:
    _known(table, "success_rate", "p95_ms")
    return Steady(_needed(table, "success_rate", *_SHARE), _needed(table, "p95_ms", *_MS))


def _criteria(table: Mapping[str, Any]) -> Criteria:
    _known(table, *_OF_CRITERIA)
    found: dict[str, Any] = {}
    for key, (least, most) in _OF_CRITERIA.items():
        if key in table:
            is_count = (least, most) == _COUNT
            found[key] = (
                whole(table, key, int(least), int(most), 0)
                if is_count
                else number(table, key, least, most, 0.0)
            )
    return Criteria(**found)


def _strikes(document: Mapping[str, Any], wrong: Callable[[int, Wrong], None]) -> tuple[Strike, ...]:
    tables = document.get("strikes", [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        wrong(0, Wrong("strikes", "must be tables, each headed [[strikes]]"))
        return ()
    found: list[Strike] = []
    for index, table in enumerate(tables):
        try:
            _known(table, "kind", "at_s", "lasts_s")
            kind = one_of(table, "kind", _STRIKES)
            found.append(
                Strike(kind, _needed(table, "at_s", 0, _LONGEST_S), number(table, "lasts_s", 0, 600, 0.0))
            )
        except Wrong as mistake:
            wrong(index, mistake)
    return tuple(found)
