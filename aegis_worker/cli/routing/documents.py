"""What the subcommands of `aegis routing` share: where the configuration is, and how it is printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aegis_worker.routing.changes import ROUTING, installed_routing
from aegis_worker.routing.config import RoutingConfig, checked_routing, load_routing, routing_document
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import configured_gateways
from aegis_worker.terminal.output import print_facts, print_table
from aegis_worker.versioned import Installed

from ..config_documents import short
from ..versioned import Spoken, VersionedCommands


def routing_file() -> Path:
    """The path of config/routing.toml, whether or not the file exists."""
    return load_settings().config_dir / "routing.toml"


def print_document(document: Mapping[str, Any], title: str = "Configuration") -> None:
    """Print a configuration: its rules as a table, everything else line by line."""
    print_facts(title, {name: short(value) for name, value in document.items() if name != "rules"})
    rules = document.get("rules", [])
    rows = [
        (
            rule["id"],
            rule["priority"],
            rule["enabled"],
            " and ".join(_condition(condition) for condition in rule["conditions"]) or "always",
            rule["gateway"],
        )
        for rule in rules
    ]
    if rows:
        print_table("Rules, the first that fits decides", ("id", "priority", "on", "when", "gateway"), rows)


def _condition(condition: Mapping[str, Any]) -> str:
    return f"{condition['field']} {condition['operator']} {short(condition['value'])}"


def _installed() -> Installed[RoutingConfig]:
    gateways = configured_gateways()
    return installed_routing(load_routing(routing_file(), gateways), gateways)


def _reader() -> Callable[[Any], RoutingConfig]:
    gateways = configured_gateways()
    return lambda document: checked_routing(document, gateways)


def _described(document: Mapping[str, Any] | None) -> tuple[Any, Any]:
    if document is None:
        return "config/routing.toml", None
    return document["strategy"], len(document.get("rules", ()))


COMMANDS = VersionedCommands(
    ROUTING,
    Spoken("Routing", "configuration", "It", "it", "routing version {}", "Routing versions"),
    "config/routing.toml",
    _installed,
    _reader,
    lambda config, title: print_document(routing_document(config), title),
    ("strategy", "rules"),
    _described,
)
