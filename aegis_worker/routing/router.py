"""Which gateways a payment may go to, and in which order. Pure: what is decided follows from the arguments alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from aegis_worker.domain.payment import Payment
from aegis_worker.gateways.base import GatewayConfig
from aegis_worker.resilience.permits import GatewayHealth

from .decision import Decision
from .eligibility import sort_out
from .policy import RoutingConfig

__all__ = ["Decision", "RoutingHook", "decide", "needs_turn"]

RoutingHook = Callable[[Payment, Sequence[GatewayConfig], Mapping[str, GatewayHealth]], Sequence[str] | None]


def decide(
    payment: Payment,
    candidates: Sequence[GatewayConfig],
    health: Mapping[str, GatewayHealth],
    config: RoutingConfig,
    rng: random.Random,
    *,
    turn: int = 0,
    paused: Collection[str] = (),
    hooks: Sequence[RoutingHook] = (),
) -> Decision:
    """Every gateway of `candidates` that may take the payment, best first."""
    eligible, left_out, back_in_s = sort_out(payment, candidates, health, paused)
    configured = [gateway.name for gateway in eligible]
    order: list[str] = []
    _append(order, (name for name in config.fallback if name in configured))
    because = "first in the fallback list" if order else "first in configured order"
    _append(order, configured)
    return Decision(tuple(order), left_out, back_in_s, config.strategy, because)


def needs_turn(config: RoutingConfig) -> bool:
    """Whether `decide` looks at `turn`."""
    return config.strategy == "ROUND_ROBIN"


def _append(order: list[str], names: Iterable[str]) -> None:
    for name in names:
        if name not in order:
            order.append(name)
