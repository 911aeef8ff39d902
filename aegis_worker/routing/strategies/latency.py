"""LEAST_LATENCY: by the mean latency of a gateway's latest hops, smoothed as its success is.

    expected latency = (judged × mean + strength × usual) / (judged + strength)

`usual` is the median of the other gateways' means; where none has one, the gateway's own `latency_target_ms`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.resilience.permits import GatewayHealth

from ..policy import Prior
from ..ranking import Ranking, Situation
from .success import UNTRIED


def expected_latencies_ms(
    gateways: Sequence[GatewayConfig], health: Mapping[str, GatewayHealth], prior: Prior
) -> dict[str, float]:
    """By gateway, how long its next hop may take."""
    means = {
        gateway.name: known.latency_mean_ms
        for gateway in gateways
        if (known := health.get(gateway.name)) is not None and known.latency_mean_ms is not None
    }
    expected = {}
    for gateway in gateways:
        name = gateway.name
        others = [mean for other, mean in means.items() if other != name]
        usual = median(others) if others else float(gateway.latency_target_ms)
        judged = health.get(name, UNTRIED).judged if name in means else 0
        known_ms = judged * means.get(name, 0.0)
        expected[name] = (known_ms + prior.strength * usual) / (judged + prior.strength)
    return expected


def least_latency(situation: Situation) -> Ranking:
    """By expected latency."""
    expected = expected_latencies_ms(situation.eligible, situation.health, situation.config.prior)
    names = sorted(expected, key=expected.__getitem__)
    scores = {name: {"latency_ms": round(expected[name], 1)} for name in names}
    return Ranking(names, f"lowest expected latency, {expected[names[0]]:.0f} ms", scores)
