"""The configured gateways: their settings, whether they are paused, and how well they work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.gateway_pauses import Pause, list_pauses
from aegis_worker.resilience.monitor import Live, Monitor


@dataclass(frozen=True, slots=True)
class GatewayReport:
    """One gateway. `live` is None if Redis can't be asked."""

    config: GatewayConfig
    paused: Pause | None
    live: Live | None


def report_gateways(
    database: Database, gateways: Mapping[str, PaymentGateway], monitor: Monitor
) -> Sequence[GatewayReport]:
    """All of them, in the order of the configuration. Raises DatabaseUnavailable."""
    with database.read() as connection:
        paused = {pause.gateway: pause for pause in list_pauses(connection)}
    live = monitor.look() or {}
    return [
        GatewayReport(gateway.config, paused.get(name), live.get(name)) for name, gateway in gateways.items()
    ]
