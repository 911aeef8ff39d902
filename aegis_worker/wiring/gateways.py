"""Loads gateways and routing from the installation's files, and builds the gates in front of the gateways."""

from __future__ import annotations

from collections.abc import Mapping

from redis import Redis

from aegis_worker.exchange.loaded import load_gateways
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.resilience.gates import SharedGates, build_gates
from aegis_worker.routing.config import RoutingConfig, load_routing
from aegis_worker.settings import Settings


def configured_gateways(settings: Settings) -> dict[str, PaymentGateway]:
    """The gateways of gateways.toml, by name. Raises ConfigurationError."""
    return load_gateways(settings.config_dir / "gateways.toml", ca_bundle=settings.ca_bundle)


def configured_routing(settings: Settings, gateways: Mapping[str, PaymentGateway]) -> RoutingConfig:
    """The configuration in routing.toml. Raises ConfigurationError, also for a gateway that isn't configured."""
    return load_routing(settings.config_dir / "routing.toml", gateways)


def close_gateways(gateways: Mapping[str, PaymentGateway]) -> None:
    """Close the gateways' connections."""
    for gateway in gateways.values():
        gateway.close_connections()


def calls_at_once(settings: Settings, gateways: Mapping[str, PaymentGateway]) -> int:
    """The most calls that one process makes at the same time.

    One of several gateways may take half of it (see `resilience.gate`), so it is doubled: each gets what one alone gets.
    """
    return settings.calls_in_flight if len(gateways) == 1 else 2 * settings.calls_in_flight


def gates_of(settings: Settings, redis: Redis, gateways: Mapping[str, PaymentGateway]) -> SharedGates:
    """The gates in front of these gateways, for one process."""
    return build_gates(redis, gateways, calls_in_flight=calls_at_once(settings, gateways))
