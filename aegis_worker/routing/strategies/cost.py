"""COST_OPTIMIZED: by what the gateway takes for a charge of this amount.

    fee = fee_fixed_minor + amount × fee_basis_points / 10,000, rounded half up to the minor unit

A gateway without fees in config/gateways.toml is not free: nobody knows what it takes, and it comes after all others.
"""

from __future__ import annotations

from aegis_worker.domain.money import Money
from aegis_worker.gateways.config import GatewayConfig

from ..ranking import NOTHING, Ranking, Situation


def fee_minor(gateway: GatewayConfig, amount_minor: int) -> int | None:
    """What a charge of the amount costs at the gateway, in minor units of its currency; None where nobody knows."""
    if gateway.fee_fixed_minor is None and gateway.fee_basis_points is None:
        return None
    share = (amount_minor * (gateway.fee_basis_points or 0) + 5_000) // 10_000
    return (gateway.fee_fixed_minor or 0) + share


def cost_optimized(situation: Situation) -> Ranking:
    """By fee."""
    amount = situation.payment.amount
    fees = {
        gateway.name: fee
        for gateway in situation.eligible
        if (fee := fee_minor(gateway, amount.minor)) is not None
    }
    if not fees:
        return NOTHING
    names = sorted(fees, key=fees.__getitem__)
    scores: dict[str, dict[str, float]] = {name: {"fee_minor": fees[name]} for name in names}
    return Ranking(names, f"lowest fee, {Money(fees[names[0]], amount.currency)}", scores)
