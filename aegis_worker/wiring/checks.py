"""Refuses settings that contradict each other or the gateways, before any payment is worked on."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_worker.errors import ConfigurationError
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.registry import IN_PROCESS
from aegis_worker.settings import Settings


def check_leases(settings: Settings, gateways: Mapping[str, PaymentGateway], longest_post_s: float) -> None:
    """Raises ConfigurationError if a lease could end while its holder still waits for an answer."""
    slowest_s = max(gateway.config.slowest_call_s for gateway in gateways.values())
    if settings.lease_s <= slowest_s:
        # If a lease ended during a call, another worker would ask about a charge that is still being made.
        raise ConfigurationError(
            f"AEGIS_LEASE_S ({settings.lease_s:g} s) must be longer than the slowest gateway call ({slowest_s:g} s)"
        )
    if settings.outbox_lease_s <= longest_post_s:
        raise ConfigurationError(
            f"AEGIS_OUTBOX_LEASE_S ({settings.outbox_lease_s:g} s) must be longer than the slowest webhook post "
            f"({longest_post_s:g} s, AEGIS_WEBHOOK_TIMEOUT_S)"
        )


def check_production(settings: Settings, gateways: Mapping[str, PaymentGateway]) -> None:
    """Raises ConfigurationError if a production has a gateway that moves no money and would report all as charged."""
    unreal = [name for name, gateway in gateways.items() if gateway.config.adapter in IN_PROCESS]
    if settings.is_production and unreal:
        raise ConfigurationError(
            f"gateways.toml: production refuses {', '.join(unreal)}: no money moves there"
        )
