"""The JSON forms of the routing configuration and of its versions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aegis_worker.persistence.versions import Version
from aegis_worker.routing.config import RoutingConfig, checked_routing, routing_document

from . import versions


def routing_body(held: Version | None, from_file: RoutingConfig, gateways: Collection[str]) -> dict[str, Any]:
    """The configuration in force. `held` is None if none was ever put."""
    return versions.held_body(
        "routing",
        held,
        routing_document(from_file),
        lambda document: routing_document(checked_routing(document, gateways)),
    )


def version_body(version: Version) -> dict[str, Any]:
    """One change of the configuration."""
    return versions.version_body("routing_version", version)
