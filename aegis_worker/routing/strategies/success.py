"""HIGHEST_SUCCESS_RATE: by the share of a gateway's latest hops that were approved, smoothed by a prior.

    expected success = (approved + strength × success_rate) / (judged + strength)

This is the mean of a Beta distribution. One approval does not make 100 %, nor one failure 0 %, and a gateway that nobody
has tried is expected to do what the prior says. With the default strength of 10, ten real outcomes count as much as the
prior, and a hundred count ten times as much.
"""

from __future__ import annotations

from aegis_worker.resilience.permits import GatewayHealth

from ..policy import Prior
from ..ranking import Ranking, Situation

UNTRIED = GatewayHealth()


def expected_success(health: GatewayHealth, prior: Prior) -> float:
    """The approval rate to expect of a gateway's next hop, above 0 and below 1 unless the prior says 0 or 1."""
    return (health.approved + prior.strength * prior.success_rate) / (health.judged + prior.strength)


def highest_success_rate(situation: Situation) -> Ranking:
    """By expected success."""
    prior, health = situation.config.prior, situation.health
    expected = {
        gateway.name: expected_success(health.get(gateway.name, UNTRIED), prior)
        for gateway in situation.eligible
    }
    names = sorted(expected, key=lambda name: -expected[name])
    scores = {
        name: {"success": round(expected[name], 4), "judged": health.get(name, UNTRIED).judged}
        for name in names
    }
    return Ranking(names, f"highest expected success rate, {expected[names[0]]:.4f}", scores)
