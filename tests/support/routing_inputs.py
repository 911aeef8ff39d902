"""Gateways, configurations and draws for tests of routing."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.screening import Named, Screening
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.gateways.null.adapter import NullAdapter
from aegis_worker.resilience.permits import GatewayHealth
from aegis_worker.routing.config import RoutingConfig, parse_routing
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


def named_for(payment: Payment, named: Sequence[Named]) -> Payment:
    """The payment as it is routed once hooks have named gateways for it."""
    return replace(payment, screening=Screening(named=tuple(named)).to_json()) if named else payment


def decided(
    document: Mapping[str, Any] = MappingProxyType({}),
    configs: Mapping[str, Mapping[str, Any]] | None = None,
    health: Mapping[str, GatewayHealth] = MappingProxyType({}),
    draws: Sequence[float] = (),
    named: Sequence[Named] = (),
    **payment: Any,
) -> Decision:
    """The decision for a payment, by default among three gateways that accept anything. `named`: by routing hooks."""
    options = dict(document)
    call = {name: options.pop(name) for name in ("turn", "paused") if name in options}
    return decide(
        named_for(a_payment(**payment), named),
        candidates(**({name: {} for name in NAMES} if configs is None else configs)),
        dict(health),
        routing(**options),
        Draws(*draws),
        **call,
    )
