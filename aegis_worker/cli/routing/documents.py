"""Prints routing configurations for the subcommands of `aegis routing`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegis_worker.settings import load_settings
from aegis_worker.terminal.output import print_facts, print_table

from ..config_documents import short


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
