"""The same configurations with the settings of an installation, and its own gateways as their adapters declare them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from aegis_worker.gateways.interface import Adapter
from aegis_worker.settings import Settings
from aegis_worker.wiring.pipeline import policy_of

from .setups import Configuration, GatewaySetup


def with_settings(configuration: Configuration, settings: Settings) -> Configuration:
    """With the leases, ladders and limits that are set."""
    return replace(
        configuration,
        policy=policy_of(settings),
        lease_s=settings.lease_s,
        ladder_s=settings.recheck_ladder_s,
    )


def at_gateways(gateways: Sequence[Adapter], template: Configuration) -> Configuration:
    """A payment at these gateways, in their order. Look-ups lag where the adapter says that they may."""
    setups = tuple(_setup(gateway) for gateway in gateways)
    names = ", then ".join(setup.name for setup in setups)
    return replace(template, name="own", about=f"your own gateways: {names}", gateways=setups)


def _setup(gateway: Adapter) -> GatewaySetup:
    able = gateway.capabilities
    return GatewaySetup(
        gateway.config.name,
        able,
        look_ups="lagging" if able.absence_window_s else "prompt",
        slowest_call_s=gateway.config.slowest_call_s,
    )
