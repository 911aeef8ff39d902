"""METRICS_BASED where the gateways' behaviour is known: how near it comes to always choosing the best."""

from __future__ import annotations

import random
from collections import deque

import pytest
from support.plain_payment import a_payment
from support.routing_inputs import candidates, routing

from aegis_worker.resilience.permits import GatewayHealth
from aegis_worker.routing.router import decide

PAYMENTS, WINDOW = 2_000, 100
PAYMENT = a_payment()

# By gateway: the share of payments that it approves, how long it takes in milliseconds, and its fee in basis points.
BEHAVIOURS = {
    "one is far better": {"a": (0.60, 300, 200), "b": (0.95, 300, 290)},
    "one seldom works": {"a": (0.30, 100, 200), "b": (0.90, 600, 290), "c": (0.92, 400, 250)},
    "the best is slow, but within its target, and dear": {
        **{"a": (0.80, 100, 200), "b": (0.97, 900, 290), "c": (0.75, 50, 250)}
    },
    "all are worse than expected": {"a": (0.40, 300, 290), "b": (0.70, 300, 290), "c": (0.55, 300, 290)},
    "two are nearly the same": {"a": (0.93, 300, 200), "b": (0.94, 300, 290)},
}


class Record:
    """The last hops of one gateway, as the health window keeps them."""

    def __init__(self) -> None:
        self._hops: deque[tuple[bool, float]] = deque(maxlen=WINDOW)

    def add(self, approved: bool, latency_ms: float) -> None:
        self._hops.append((approved, latency_ms))

    def health(self) -> GatewayHealth:
        if not self._hops:
            return GatewayHealth()
        return GatewayHealth(
            judged=len(self._hops),
            approved=sum(approved for approved, _ in self._hops),
            latency_mean_ms=sum(latency_ms for _, latency_ms in self._hops) / len(self._hops),
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
@pytest.mark.slow
def test_metrics_based_ends_within_three_percent_of_the_best_possible_success_rate(behaviour, seed):
    config, rng, world = routing(strategy="METRICS_BASED"), random.Random(seed), random.Random(-seed)
    configs = candidates(**{name: {"fee_basis_points": fee} for name, (_, _, fee) in behaviour.items()})
    records = {name: Record() for name in behaviour}
    health = {name: GatewayHealth() for name in behaviour}
    succeeded = 0
    would_have = dict.fromkeys(behaviour, 0)
    for _ in range(PAYMENTS):
        luck = world.random()  # the same for every gateway, so that the best possible is known
        for name, (approves, _, _) in behaviour.items():
            would_have[name] += luck < approves
        first = decide(PAYMENT, configs, health, config, rng).candidates[0]
        approves, latency_ms, _ = behaviour[first]
        succeeded += luck < approves
        records[first].add(luck < approves, latency_ms * world.uniform(0.5, 1.5))
        health[first] = records[first].health()
    assert succeeded >= 0.97 * max(would_have.values())
