"""A configuration for gateways that are all emulated: chosen by name, written into a folder of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from aegis_worker.emulator.wire_formats import NoWireFormat
from aegis_worker.errors import ConfigurationError
from aegis_worker.toml_file import read_toml

from .emulated import EMULATED, table_of

# Gateways' tables of gateways.toml by name, in the order in which they are tried.
Tables: TypeAlias = Mapping[str, Mapping[str, Any]]
# The tables of an installation, from the folder of the configuration that it is given.
ChooseTables: TypeAlias = Callable[[Path], Tables]


def emulated_tables(names: Sequence[str], given: Path) -> Tables:
    """The tables of these gateways in this order; without names, of all sandboxes of `given`/gateways.toml.

    A name is that of a sandbox there, of a gateway in `emulated.EMULATED`, or of an installed package's wire format.
    Raises ConfigurationError.
    """
    path = given / "gateways.toml"
    known: dict[str, Any] = read_toml(path).get("gateways", {})
    sandboxes = {
        name: table
        for name, table in known.items()
        if isinstance(table, dict) and table.get("adapter") == "sandbox"
    }
    if not names:
        if not sandboxes:
            raise ConfigurationError(
                f"{path} has no gateway whose adapter is `sandbox`: no others are used here"
            )
        return sandboxes
    try:
        return {
            name: {**sandboxes[name], "enabled": True} if name in sandboxes else table_of(name)
            for name in names
        }
    except NoWireFormat as problem:
        there = ", ".join([*sandboxes, *EMULATED])
        raise ConfigurationError(f"{path} has no such sandbox; there are {there}; {problem}") from problem


def write_config(given: Path, tables: Tables, folder: Path) -> None:
    """Put a configuration with these gateways alone into `folder`, and all hooks and rules of `given`.

    Raises ConfigurationError. routing.toml is left out, because it may name gateways that are not there.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for file in (*given.glob("*.py"), *given.glob("hooks.toml"), *given.glob("rules.toml")):
            shutil.copy(file, folder)
        (folder / "gateways.toml").write_text(_written(tables))
    except OSError as error:
        raise ConfigurationError(f"{given}: {error}") from error


def _written(tables: Tables) -> str:
    """Gateways' tables as the text of gateways.toml."""
    return "\n".join(line for name, table in tables.items() for line in _lines(("gateways", name), table))


def _lines(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """A table as TOML: what stands in one is numbers, texts, lists of these, and tables. JSON's are TOML's."""
    yield f"[{'.'.join(_json(name) for name in path)}]"
    for name, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{_json(name)} = {_json(value)}"
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _lines((*path, name), value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
