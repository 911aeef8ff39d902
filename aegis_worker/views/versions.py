"""The JSON forms of what operators put in place of a file, and of its versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.errors import InvalidDocument
from aegis_worker.persistence.versions import Version
from aegis_worker.versioned import Config, Installed, Versioned


def held_body(installed: Installed[Config], held: Version | None) -> dict[str, Any]:
    """What is in force, with defaults. `held` is None if nothing was ever put."""
    document, unusable = held.document if held else None, None
    config: Mapping[str, Any]
    if document is None:
        config = installed.kind.document(installed.from_file)
    else:
        try:
            config = installed.kind.document(installed.checked(document))
        except InvalidDocument as error:
            config, unusable = dict(document), str(error)
    return {
        "object": installed.kind.name,
        "version": held.version if held else 0,
        "source": "file" if document is None else "put",
        "config": config,
        "unusable": unusable,
        "actor": held.actor if held else None,
        "reason": held.reason if held else None,
        "since": rfc3339(held.created_at) if held else None,
    }


def version_body(kind: Versioned[Config], version: Version) -> dict[str, Any]:
    """One change."""
    return {
        "object": f"{kind.name}_version",
        "version": version.version,
        "source": "file" if version.document is None else "put",
        "config": version.document,
        "actor": version.actor,
        "reason": version.reason,
        "created_at": rfc3339(version.created_at),
    }
