"""Exploration: a strategy that goes by the record alone would never learn that a gateway has become good.

So a share of payments tries another gateway first. Which one is drawn at random, each with the weight

    promise = expected success / (judged + strength)

so that an unknown gateway is the most likely one. A gateway that is known to be bad costs few payments: where its expected
success is lower than the favourite's by more than two standard errors of the difference, only one in five of its
explorations is made. What is known is forgotten within the hour.

A gateway whose breaker is half open needs probes, and its bad record keeps payments away. So at least one payment in five
asks it for a probe, whatever the share is set to: after n payments one has asked with a probability of 1 - 0.8 ** n. Asking
is cheap: the gates let three probes out at a time, and a payment that gets no permit goes on to its next candidate at once.
Once the breaker has closed, the health window begins anew, and the prior takes the place of the failures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.resilience.permits import GatewayHealth

from ..ranking import Ranking, Situation, Strategy
from .success import UNTRIED, expected_success

PROBE_SHARE = 0.2
_SELDOM, _STANDARD_ERRORS = 0.2, 2.0
# The least weight, so that a gateway without an approval is still drawn where the prior expects no success at all.
_LEAST_SUCCESS = 0.001


def exploring(strategy: Strategy) -> Strategy:
    """The strategy, with exploration of the gateways that it would not try first."""

    def explored(situation: Situation) -> Ranking:
        ranking = strategy(situation)
        if len(ranking.names) < 2 or not situation.leads:
            return ranking
        favourite = ranking.names[0]
        others = [gateway.name for gateway in situation.eligible if gateway.name != favourite]
        half_open = [name for name in others if _state(situation.health, name) is not BreakerState.CLOSED]
        share = situation.config.exploration
        if half_open:
            share = max(share, PROBE_SHARE)
        draw = situation.rng.random()
        if draw >= share:
            return ranking
        among = half_open or others
        (chosen,) = situation.rng.choices(among, [_promise(situation, name) for name in among])
        if not half_open and draw >= share * _SELDOM and _is_surely_worse(situation, chosen, favourite):
            return ranking
        names = [chosen, *(name for name in ranking.names if name != chosen)]
        why = "its breaker is half open" if half_open else f"{favourite} would have been first"
        return ranking._replace(names=names, because=f"explored: {why}", explored=True)

    return explored


def _state(health: Mapping[str, GatewayHealth], name: str) -> BreakerState:
    return health.get(name, UNTRIED).state


def _promise(situation: Situation, name: str) -> float:
    health, prior = situation.health.get(name, UNTRIED), situation.config.prior
    return max(expected_success(health, prior), _LEAST_SUCCESS) / (health.judged + prior.strength)


def _is_surely_worse(situation: Situation, name: str, favourite: str) -> bool:
    rates, variance = [], 0.0
    for one in (name, favourite):
        health, prior = situation.health.get(one, UNTRIED), situation.config.prior
        rates.append(expected_success(health, prior))
        variance += rates[-1] * (1 - rates[-1]) / max(1.0, health.judged + prior.strength)
    return rates[1] - rates[0] > _STANDARD_ERRORS * math.sqrt(variance)
