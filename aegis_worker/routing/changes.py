"""What operators change about routing while everything runs: the configuration, and which gateways are paused."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from aegis_worker.errors import NotFound
from aegis_worker.persistence import audit_log, gateway_pauses
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.routing_versions import VERSIONS
from aegis_worker.versioned import Installed, Versioned

from .config import RoutingConfig, checked_routing, routing_document

ROUTING = Versioned("routing", VERSIONS, routing_document)


def installed_routing(from_file: RoutingConfig, gateways: Collection[str]) -> Installed[RoutingConfig]:
    """The routing in a process whose file says `from_file` and that knows these gateways.

    A version may name a gateway that this process doesn't know: config/gateways.toml is read at the start, on each machine
    for itself.
    """
    return Installed(ROUTING, from_file, lambda document: checked_routing(document, gateways))


def pause_gateway(
    database: Database, gateway: str, *, known: Collection[str], actor: str, reason: str
) -> bool:
    """Give a gateway no new payments from now on; False where it was paused already, which stands as it was.

    Raises NotFound for a gateway that is not configured; InvalidReason; DatabaseUnavailable.
    """
    if gateway not in known:
        raise NotFound(_no_gateway(gateway, known))
    reason = audit_log.checked_reason(reason)

    def change(tx: Connection) -> bool:
        paused = gateway_pauses.pause(tx, gateway, actor=actor, reason=reason)
        if paused:
            details = {"gateway": gateway, "reason": reason}
            audit_log.append(tx, actor=actor, action="gateway.paused", details=details)
        return paused

    return database.run(change)


def resume_gateway(database: Database, gateway: str, *, known: Collection[str], actor: str) -> bool:
    """Give a gateway new payments again; False where it was not paused. A gateway that is gone can be resumed too.

    Raises NotFound for a gateway that is neither configured nor paused; DatabaseUnavailable.
    """

    def change(tx: Connection) -> bool:
        resumed = gateway_pauses.resume(tx, gateway)
        if resumed:
            audit_log.append(tx, actor=actor, action="gateway.resumed", details={"gateway": gateway})
        return resumed

    resumed = database.run(change)
    if not resumed and gateway not in known:
        raise NotFound(_no_gateway(gateway, known))
    return resumed


def _no_gateway(gateway: str, known: Collection[str]) -> str:
    return f"There is no gateway {gateway}; configured are {', '.join(known)}."
