"""Routing's configuration read from a document and written as one: config/routing.toml, or what an operator has put."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aegis_worker.errors import ConfigurationError, InvalidRouting
from aegis_worker.matching.checks import Checks, place
from aegis_worker.matching.old_names import renewed
from aegis_worker.toml_file import UnreadableFile, read_toml

from .policy import RoutingConfig
from .rule_checks import rule_document
from .sections import NEEDED_TABLE, SECTIONS

__all__ = ["RoutingConfig", "checked_routing", "load_routing", "parse_routing", "routing_document"]


def load_routing(path: Path, gateways: Collection[str]) -> RoutingConfig:
    """The file's configuration; the default where there is no file. Raises ConfigurationError."""
    try:
        document = read_toml(path)
    except UnreadableFile as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return RoutingConfig()
        raise
    return parse_routing(document, gateways=gateways, where=str(path))


def parse_routing(document: Mapping[str, Any], *, gateways: Collection[str], where: str) -> RoutingConfig:
    """The configuration that a document describes. Raises ConfigurationError, one line for each wrong place."""
    try:
        return checked_routing(document, gateways)
    except InvalidRouting as error:
        lines = [
            f"{where}: {place(problem['pointer'], document)}: {problem['detail']}"
            for problem in error.problems
        ]
        raise ConfigurationError("\n".join(lines)) from error


def checked_routing(document: Any, gateways: Collection[str]) -> RoutingConfig:
    """The configuration that a document describes; `gateways` are the names it may use. Raises InvalidRouting."""
    checks, document = Checks(), renewed(document)
    fields = {
        name: SECTIONS[name](checks, (name,), value, gateways)
        for name, value in checks.table((), document, SECTIONS).items()
        if name in SECTIONS
    }
    if not checks.problems:
        config = RoutingConfig(**fields)
        needs = NEEDED_TABLE.get(config.strategy)
        if needs is not None and not getattr(config, needs):
            checks.wrong(("strategy",), f"{config.strategy} needs a table [{needs}]")
    if checks.problems:
        raise InvalidRouting(checks.problems)
    return config


def routing_document(config: RoutingConfig) -> dict[str, Any]:
    """The document that describes a configuration: `checked_routing` makes the same configuration of it."""
    document: dict[str, Any] = {
        "strategy": config.strategy,
        "fallback": list(config.fallback),
        "exploration": config.exploration,
        "weights": asdict(config.weights),
        "prior": asdict(config.prior),
        "shares": dict(config.shares),
        "countries": {country: list(names) for country, names in config.countries.items()},
    }
    if config.ab_test is not None:
        arms = [asdict(arm) for arm in config.ab_test.arms]
        document["ab_test"] = {"experiment": config.ab_test.experiment, "arms": arms}
    document["rules"] = [rule_document(rule) for rule in config.rules]
    return {name: value for name, value in document.items() if value not in ([], {})}
