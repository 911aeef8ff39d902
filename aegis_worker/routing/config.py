"""Routing's configuration read from a document and written as one: config/routing.toml, or what an operator has put."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aegis_worker.errors import InvalidRouting
from aegis_worker.matching.checks import Checks
from aegis_worker.matching.documents import usable_document
from aegis_worker.matching.old_names import renewed
from aegis_worker.toml_file import parsed_toml, text_if_any

from .policy import RoutingConfig
from .rule_checks import rule_document
from .sections import NEEDED_TABLE, SECTIONS

__all__ = ["RoutingConfig", "checked_routing", "load_routing", "parse_routing", "routing_document"]


def load_routing(path: Path, gateways: Collection[str]) -> RoutingConfig:
    """The file's configuration; the default where there is no file. Raises ConfigurationError."""
    text = text_if_any(path)
    if text is None:
        return RoutingConfig()
    return parse_routing(parsed_toml(path, text), gateways=gateways, where=str(path), text=text)


def parse_routing(
    document: Mapping[str, Any], *, gateways: Collection[str], where: str, text: str | None = None
) -> RoutingConfig:
    """The configuration that a document describes; `text`: the TOML that it was read from, for the lines of what is wrong.

    Raises ConfigurationError, one line for each wrong place.
    """
    return usable_document(lambda given: checked_routing(given, gateways), document, where=where, text=text)


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
