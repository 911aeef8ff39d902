"""Gateways, configurations and draws for tests of routing."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.null.adapter import NullAdapter
from aegis_worker.resilience.permits import GatewayHealth
from aegis_worker.routing.config import RoutingConfig, parse_routing
from aegis_worker.routing.hooks import RoutingHook
from aegis_worker.routing.router import Decision, decide
from support.plain_payment import a_payment

NAMES = ("a", "b", "c")

HALF_OPEN = GatewayHealth(BreakerState.HALF_OPEN, judged=20, approved=5)
OPEN = GatewayHealth(BreakerState.OPEN, retry_in_s=42.0, judged=20, approved=5)


class Draws(random.Random):
    """A generator that returns given numbers between 0 and 1. Asking for more than there are is an error."""

    def __init__(self, *numbers: float) -> None:
        super().__init__(0)
        self._left = list(numbers)

    def random(self) -> float:
        return self._left.pop(0)


def gateways(**by_name: Mapping[str, Any]) -> list[GatewayConfig]:
    return [
        GatewayConfig(name=name, adapter="null", base_url="", api_key="", **config)
        for name, config in by_name.items()
    ]


def candidates(**by_name: Mapping[str, Any]) -> list[NullAdapter]:
    """Gateways as routing sees them, which take every type of payment method and every token."""
    return [NullAdapter(config) for config in gateways(**by_name)]


def routing(**document: Any) -> RoutingConfig:
    """The configuration in a document about the gateways a, b and c."""
    return parse_routing(document, gateways=NAMES, where="routing.toml")


def tried(approved: int, judged: int, latency_ms: float | None = None) -> GatewayHealth:
    return GatewayHealth(judged=judged, approved=approved, latency_mean_ms=latency_ms)


def decided(
    document: Mapping[str, Any] = MappingProxyType({}),
    configs: Mapping[str, Mapping[str, Any]] | None = None,
    health: Mapping[str, GatewayHealth] = MappingProxyType({}),
    draws: Sequence[float] = (),
    hooks: Sequence[RoutingHook] = (),
    **payment: Any,
) -> Decision:
    """The decision for a payment, by default among three gateways that accept anything."""
    options = dict(document)
    call = {name: options.pop(name) for name in ("turn", "paused") if name in options}
    return decide(
        a_payment(**payment),
        candidates(**({name: {} for name in NAMES} if configs is None else configs)),
        dict(health),
        routing(**options),
        Draws(*draws),
        hooks=hooks,
        **call,
    )
