"""The JSON forms of what operators put in place of a file, and of its versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.errors import InvalidDocument
from aegis_worker.persistence.versions import Version


def held_body(
    name: str,
    held: Version | None,
    from_file: Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> dict[str, Any]:
    """What is in force, as the object `name`. `held` is None if nothing was ever put.

    `read`: the document as it is used, with defaults. Raises InvalidDocument for one that this process can't use.
    """
    document, unusable = held.document if held else None, None
    if document is None:
        config = from_file
    else:
        try:
            config = read(document)
        except InvalidDocument as error:
            config, unusable = dict(document), str(error)
    return {
        "object": name,
        "version": held.version if held else 0,
        "source": "file" if document is None else "put",
        "config": config,
        "unusable": unusable,
        "actor": held.actor if held else None,
        "reason": held.reason if held else None,
        "since": rfc3339(held.created_at) if held else None,
    }


def version_body(name: str, version: Version) -> dict[str, Any]:
    """One change, as the object `name`."""
    return {
        "object": name,
        "version": version.version,
        "source": "file" if version.document is None else "put",
        "config": version.document,
        "actor": version.actor,
        "reason": version.reason,
        "created_at": rfc3339(version.created_at),
    }
