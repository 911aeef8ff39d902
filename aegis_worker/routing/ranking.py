"""What a strategy looks at, and the order that it gives."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from aegis_worker.domain.payment import Payment
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.resilience.permits import GatewayHealth

from .policy import RoutingConfig


class Situation(NamedTuple):
    """One payment, and the gateways that may take it, in configured order.

    `turn` counts payments over all workers. `leads`: whether the order decides about the first candidate, which a hook or
    a rule may have done already.
    """

    payment: Payment
    eligible: Sequence[GatewayConfig]
    health: Mapping[str, GatewayHealth]
    config: RoutingConfig
    rng: random.Random
    turn: int
    leads: bool


class Ranking(NamedTuple):
    """Some of the eligible gateways, best first; those that are not named come after them. `because` is about the first.

    `scores`: what was looked at, by gateway, in words and figures that `aegis explain` shows.
    """

    names: Sequence[str]
    because: str = ""
    scores: Mapping[str, Mapping[str, float]] = MappingProxyType({})
    rule: str | None = None
    explored: bool = False
    experiment: str | None = None
    arm: str | None = None


Strategy = Callable[[Situation], Ranking]

NOTHING = Ranking(())
