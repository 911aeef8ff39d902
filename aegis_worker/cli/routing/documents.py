"""Where the subcommands of `aegis routing` have their configurations from, and how these look on a terminal."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from aegis_api import card_numbers
from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.base import GatewayConfig
from aegis_worker.gateways.registry import load_configs
from aegis_worker.settings import load_settings
from aegis_worker.strict_json import MalformedJson, parse

from ..output import print_facts, print_table

# As much as the API takes, and some: parsers take long over long names and deep nesting.
_LONGEST_BYTES = 1 << 18

file_argument = click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))


def configured_gateways() -> dict[str, GatewayConfig]:
    """The gateways of config/gateways.toml by name. Raises ConfigurationError."""
    path = load_settings().config_dir / "gateways.toml"
    return {config.name: config for config in load_configs(path, os.environ)}


def routing_file() -> Path:
    """Where config/routing.toml stands, if it is there at all."""
    return load_settings().config_dir / "routing.toml"


def read_document(path: Path) -> dict[str, Any]:
    """A configuration as it stands in a file: TOML, or JSON in a file whose name says so. Raises ConfigurationError."""
    try:
        raw = path.read_bytes()
        if len(raw) > _LONGEST_BYTES:
            raise ConfigurationError(f"{path}: is longer than {_LONGEST_BYTES} bytes")
        document = parse(raw) if path.suffix == ".json" else tomllib.loads(raw.decode())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except (ValueError, MalformedJson) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    except RecursionError:
        raise ConfigurationError(f"{path}: is nested far deeper than a configuration is") from None
    if found := card_numbers.pointers_to(document):
        # As over HTTP: what is applied is stored.
        raise ConfigurationError(f"{path}: holds a card number, at {', '.join(found)}")
    return document


def print_document(document: Mapping[str, Any], title: str = "Configuration") -> None:
    """A configuration: its rules as a table, the rest below each other."""
    print_facts(title, {name: _short(value) for name, value in document.items() if name != "rules"})
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
    return f"{condition['field']} {condition['operator']} {_short(condition['value'])}"


def _short(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
