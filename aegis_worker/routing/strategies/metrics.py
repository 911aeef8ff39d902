"""METRICS_BASED: by a weighted mean of three parts, each from 0 to 1.

    score   = (w_success × success + w_latency × latency + w_cost × cost) / (w_success + w_latency + w_cost)
    success = expected success (see `success`)
    latency = min(1, latency_target_ms / expected latency)
    cost    = lowest fee / its fee, for this amount among these gateways; a gateway without fees counts as the dearest,
              a fee of 0 as one minor unit, and where no fee is known the part is 1

The parts are ratios, and not ranks or distances between the best and the worst, so that a tiny difference between two
gateways stays tiny and does not outweigh a real difference in success. A gateway that keeps its latency target gains
nothing by being faster still.
"""

from __future__ import annotations

from collections.abc import Sequence

from aegis_worker.gateways.config import GatewayConfig

from ..ranking import Ranking, Situation
from .cost import fee_minor
from .latency import expected_latencies_ms
from .success import UNTRIED, expected_success


def metrics_based(situation: Situation) -> Ranking:
    """By the weighted mean."""
    config, health, eligible = situation.config, situation.health, situation.eligible
    weights = config.weights
    total = weights.success + weights.latency + weights.cost
    latencies_ms = expected_latencies_ms(eligible, health, config.prior)
    costs = _cost_parts(eligible, situation.payment.amount.minor)
    exact, scores = {}, {}
    for gateway in eligible:
        name = gateway.name
        success = expected_success(health.get(name, UNTRIED), config.prior)
        latency = min(1.0, gateway.latency_target_ms / max(latencies_ms[name], 1.0))
        cost = costs[name]
        exact[name] = (weights.success * success + weights.latency * latency + weights.cost * cost) / total
        scores[name] = {
            "score": round(exact[name], 4),
            "success": round(success, 4),
            "latency": round(latency, 4),
            "cost": round(cost, 4),
        }
    names = sorted(exact, key=lambda name: -exact[name])
    return Ranking(names, f"highest score, {exact[names[0]]:.4f}", scores)


def _cost_parts(gateways: Sequence[GatewayConfig], amount_minor: int) -> dict[str, float]:
    fees = {gateway.name: fee_minor(gateway, amount_minor) for gateway in gateways}
    known = [max(fee, 1) for fee in fees.values() if fee is not None]
    if not known:
        return dict.fromkeys(fees, 1.0)
    lowest, highest = min(known), max(known)
    return {name: lowest / (highest if fee is None else max(fee, 1)) for name, fee in fees.items()}
