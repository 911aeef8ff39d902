"""The tables of a routing document, one reader each. A reader notes what is wrong with its `Checks` and goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any

from aegis_worker.domain.countries import COUNTRIES
from aegis_worker.matching.checks import Checks, Path

from .policy import AbTest, Arm, Prior, Weights
from .rule_checks import checked_rules
from .strategies import STRATEGIES

_LONGEST_NAME = 64
_MOST_COUNTRIES = 300
_MOST_SHARE = 10_000

# Strategies that are nothing without a table of their own.
NEEDED_TABLE = {"WEIGHTED": "shares", "GEOGRAPHIC": "countries", "AB_TEST": "ab_test"}


def _strategy(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> str | None:
    return checks.one_of(path, value, STRATEGIES, "strategy")


def _names(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> tuple[str, ...]:
    names: list[str] = []
    for index, item in enumerate(checks.items(path, value, len(gateways))):
        name = checks.one_of((*path, index), item, gateways, "gateway")
        if name in names:
            checks.wrong((*path, index), f'"{name}" is in the list already')
        elif name is not None:
            names.append(name)
    return tuple(names)


def _exploration(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> float | None:
    return checks.number(path, value, 0, 1)


def _weights(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> Weights | None:
    known = asdict(Weights())
    given = {
        name: checks.number((*path, name), weight, 0, 1000)
        for name, weight in checks.table(path, value, known).items()
        if name in known
    }
    weights = known | given
    if None not in weights.values() and not sum(weights.values()) > 0:
        checks.wrong(path, "at least one weight must be above 0")
    return Weights(**weights)


def _prior(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> Prior:
    limits = {"success_rate": (0, 1), "strength": (1, 1000)}
    given: dict[str, Any] = {
        name: checks.number((*path, name), number, *limits[name])
        for name, number in checks.table(path, value, limits).items()
        if name in limits
    }
    return Prior(**given)


def _shares(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> Mapping[str, int | None]:
    table = checks.table(path, value)
    shares = {}
    for name, share in table.items():
        if checks.one_of((*path, name), name, gateways, "gateway") is not None:
            shares[name] = checks.whole((*path, name), share, 0, _MOST_SHARE)
    if table and not any(shares.values()):
        checks.wrong(path, "at least one share must be above 0")
    return shares


def _countries(
    checks: Checks, path: Path, value: Any, gateways: Collection[str]
) -> Mapping[str, tuple[str, ...]]:
    table = checks.table(path, value)
    if len(table) > _MOST_COUNTRIES:
        checks.wrong(path, f"must have at most {_MOST_COUNTRIES} countries")
        return {}
    for country in table:
        if country != "*" and country not in COUNTRIES:
            why = 'is not a country of ISO 3166-1, in two capital letters, nor "*" for all others'
            checks.wrong((*path, country), why)
    return {country: _names(checks, (*path, country), names, gateways) for country, names in table.items()}


def _ab_test(checks: Checks, path: Path, value: Any, gateways: Collection[str]) -> AbTest:
    table = checks.table(path, value, ("experiment", "arms"))
    experiment = checks.text((*path, "experiment"), table.get("experiment"), _LONGEST_NAME)
    arms: list[Arm] = []
    for index, item in enumerate(checks.items((*path, "arms"), table.get("arms"), len(gateways))):
        at = (*path, "arms", index)
        arm = checks.table(at, item, ("gateway", "share"))
        gateway = checks.one_of((*at, "gateway"), arm.get("gateway"), gateways, "gateway")
        share = checks.whole((*at, "share"), arm.get("share"), 1, _MOST_SHARE)
        if any(gateway == other.gateway for other in arms):
            checks.wrong((*at, "gateway"), f'"{gateway}" is an arm already')
        if gateway is not None and share is not None:
            arms.append(Arm(gateway, share))
    if not arms:
        checks.wrong((*path, "arms"), "must have at least one arm")
    return AbTest(experiment or "", tuple(arms))


SECTIONS: dict[str, Callable[[Checks, Path, Any, Collection[str]], Any]] = {
    "strategy": _strategy,
    "fallback": _names,
    "exploration": _exploration,
    "weights": _weights,
    "prior": _prior,
    "shares": _shares,
    "countries": _countries,
    "ab_test": _ab_test,
    "rules": checked_rules,
}
