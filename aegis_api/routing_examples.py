"""Examples of the routes about routing, rendered by the same functions as real answers."""

from __future__ import annotations

from datetime import UTC, datetime

from aegis_worker.persistence.routing_versions import RoutingVersion
from aegis_worker.routing.config import RoutingConfig, routing_document

from .representations import list_body
from .routing_bodies import paused_body, routing_body, version_body

_REASON = "the new contract with sandbox_b begins today"
_CONFIG = {"strategy": "COST_OPTIMIZED", "fallback": ["sandbox_a", "sandbox_b"]}
_version = RoutingVersion(
    version=7,
    document=routing_document(RoutingConfig("COST_OPTIMIZED", ("sandbox_a", "sandbox_b"))),
    actor="key_0199a7c5a0f47d5a8f0e6b1c2d3e4f54 (night)",
    reason=_REASON,
    created_at=datetime(2026, 11, 21, 9, 30, 0, 654321, tzinfo=UTC),
)

ROUTING = routing_body(_version, RoutingConfig(), ("sandbox_a", "sandbox_b"))
ROUTING_PUT = {"config": _CONFIG, "reason": _REASON}
VERSIONS = list_body([version_body(_version)], "7")
PAUSE = {"reason": "their maintenance window, until 04:00 UTC"}
PAUSED = paused_body("sandbox_a", paused=True, changed=True)
RESUMED = paused_body("sandbox_a", paused=False, changed=True)
