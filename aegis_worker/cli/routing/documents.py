"""Reads routing configurations from files for the subcommands of `aegis routing`, and prints them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from aegis_worker.domain.card_pointers import pointers_to
from aegis_worker.errors import ConfigurationError
from aegis_worker.settings import load_settings
from aegis_worker.strict_json import MalformedJson, parse
from aegis_worker.terminal.output import print_facts, print_table
from aegis_worker.toml_file import UnreadableFile, read_text, read_toml

from ..unreadable import Unreadable

# A little more than the API accepts. Without a limit, parsers take long over long names and deep nesting.
_LONGEST_BYTES = 1 << 18

file_argument = click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))


def routing_file() -> Path:
    """The path of config/routing.toml, whether or not the file exists."""
    return load_settings().config_dir / "routing.toml"


def read_document(path: Path, *, as_json: bool) -> dict[str, Any]:
    """Read a configuration from a file: JSON if the file's name says so, otherwise TOML.

    Raises ConfigurationError for a file that can't be read, and Unreadable for one that is neither TOML nor JSON.
    """
    try:
        if path.stat().st_size > _LONGEST_BYTES:
            raise ConfigurationError(f"{path}: is longer than {_LONGEST_BYTES} bytes")
        document = parse(read_text(path).encode()) if path.suffix == ".json" else read_toml(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except UnreadableFile as error:
        if error.place is None:
            raise
        place = error.place
        raise Unreadable(path, error.why, line=place.line, column=place.column, as_json=as_json) from error
    except MalformedJson as error:
        why = str(error).replace("The body", "It")
        raise Unreadable(path, why, line=error.line, column=error.column, as_json=as_json) from error
    if found := pointers_to(document):
        # Refused as over HTTP, because an applied configuration is stored.
        raise ConfigurationError(f"{path}: holds a card number, at {', '.join(found)}")
    return document


def print_document(document: Mapping[str, Any], title: str = "Configuration") -> None:
    """Print a configuration: its rules as a table, everything else line by line."""
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
