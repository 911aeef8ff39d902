"""The JSON forms of the routing configuration and of its versions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.errors import InvalidRouting
from aegis_worker.persistence.routing_versions import RoutingVersion
from aegis_worker.routing.config import RoutingConfig, checked_routing, routing_document


def routing_body(
    held: RoutingVersion | None, from_file: RoutingConfig, gateways: Collection[str]
) -> dict[str, Any]:
    """The configuration in force. `held` is None if none was ever put."""
    document, unusable = held.document if held else None, None
    if document is None:
        config = routing_document(from_file)
    else:
        try:
            config = routing_document(checked_routing(document, gateways))
        except InvalidRouting as error:
            config, unusable = dict(document), str(error)
    return {
        "object": "routing",
        "version": held.version if held else 0,
        "source": "file" if document is None else "put",
        "config": config,
        "unusable": unusable,
        "actor": held.actor if held else None,
        "reason": held.reason if held else None,
        "since": rfc3339(held.created_at) if held else None,
    }


def version_body(version: RoutingVersion) -> dict[str, Any]:
    """One change of the configuration."""
    return {
        "object": "routing_version",
        "version": version.version,
        "source": "file" if version.document is None else "put",
        "config": version.document,
        "actor": version.actor,
        "reason": version.reason,
        "created_at": rfc3339(version.created_at),
    }
