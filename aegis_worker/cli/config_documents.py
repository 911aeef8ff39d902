"""Reads configurations of routing and rules from files, for the subcommands that check, apply and try them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from aegis_worker.domain.card_pointers import pointers_to
from aegis_worker.errors import ConfigurationError
from aegis_worker.strict_json import MalformedJson, parse
from aegis_worker.toml_file import UnreadableFile, read_text, read_toml

from .unreadable import Unreadable

# A little more than the API accepts. Without a limit, parsers take long over long names and deep nesting.
_LONGEST_BYTES = 1 << 18

file_argument = click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))


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


def toml_text(path: Path) -> str | None:
    """The text of a TOML file, for the lines of what is wrong in it; None for JSON."""
    return None if path.suffix == ".json" else read_text(path)


def short(value: Any) -> Any:
    """A value of a document in one line."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
