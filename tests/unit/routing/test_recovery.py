"""METRICS_BASED with real breakers: a gateway that fails is left alone, and gets its traffic back once it has healed."""

from __future__ import annotations

import random
from collections import Counter

import fakeredis
import pytest
from support.gates_on_fake_redis import CHARGE, Clock, gate
from support.plain_payment import a_payment
from support.routing_inputs import candidates, routing

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.resilience.gates import SharedGates
from aegis_worker.resilience.permits import CallResult, Counted, Said, Wanted
from aegis_worker.routing.router import decide

APPROVES = {"a": 0.8, "b": 1.0}
CONFIGS = candidates(a={}, b={})


class Shop:
    """One payment a second over two gateways; `down` does not answer as it should."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.down = clock, ""
        self.gates = SharedGates(
            fakeredis.FakeRedis(),
            {name: gate(gateway=name) for name in APPROVES},
            draw=lambda: 0.0,
            clock=clock,
        )
        self._config = routing(strategy="METRICS_BASED", exploration=0)
        self._rng, self._world = random.Random(1), random.Random(2)
        self._paid = 0

    def pays(self, payments: int) -> Counter[str]:
        """Which gateways were called, for so many payments, each of which found one at once."""
        return Counter(self._pay() for _ in range(payments))

    def state(self, name: str) -> BreakerState:
        self.clock.passes(1.0)
        return self.gates.health()[name].state

    def _pay(self) -> str:
        self.clock.passes(1.0)
        self._paid += 1
        decision = decide(a_payment(), CONFIGS, self.gates.health(), self._config, self._rng)
        while True:
            first = decision.candidates[0]
            wanted = Wanted(first, CHARGE, f"pay_{self._paid}-{first}")
            (verdict,) = self.gates.admit([wanted])
            if verdict.granted:
                break
            decision = decision.without(first, verdict.reason, verdict.retry_in_s)
        approved = self._world.random() < APPROVES[first]
        said, counted = Said.SUCCESS, Counted.APPROVED if approved else Counted.DECLINED
        if first == self.down:
            said, counted = Said.FAILURE, Counted.ERROR
        self.gates.report([CallResult(wanted, verdict.epoch, said, 100.0, counted)])
        return first


@pytest.mark.slow
def test_a_gateway_that_has_healed_gets_its_traffic_back_even_where_nothing_is_explored(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    shop = Shop(clock)
    shop.pays(20)
    assert shop.pays(10)["b"] >= 8  # the better one

    shop.down = "b"
    shop.pays(8)
    assert shop.state("b") is BreakerState.OPEN
    assert shop.pays(60)["b"] <= 3  # probes

    shop.down = ""
    shop.clock.passes(shop.gates.health()["b"].retry_in_s)
    assert shop.state("b") is BreakerState.HALF_OPEN
    shop.pays(40)
    assert shop.state("b") is BreakerState.CLOSED
    assert shop.pays(10)["b"] >= 8
