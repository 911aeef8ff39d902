"""Routing, first form: the configured order, narrowed to gateways that support the payment. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aegis_worker.domain.payment import Payment
from aegis_worker.gateways.base import GatewayConfig


@dataclass(frozen=True, slots=True)
class Decision:
    """Gateways to try, best first, and why each of the others was left out."""

    candidates: tuple[str, ...]
    left_out: dict[str, str]


def decide(payment: Payment, gateways: Sequence[GatewayConfig]) -> Decision:
    """The gateways that support the payment's currency, method and country, in configured order."""
    candidates, left_out = [], {}
    for gateway in gateways:
        reason = _unsupported(payment, gateway)
        if reason is None:
            candidates.append(gateway.name)
        else:
            left_out[gateway.name] = reason
    return Decision(tuple(candidates), left_out)


def _unsupported(payment: Payment, gateway: GatewayConfig) -> str | None:
    currency, method = payment.amount.currency, payment.payment_method["type"]
    country = payment.customer.get("country")
    if not gateway.enabled:
        return "is switched off"
    if gateway.currencies and currency not in gateway.currencies:
        return f"does not take {currency}"
    if gateway.methods and method not in gateway.methods:
        return f"does not take {method}"
    if gateway.countries and country is not None and country not in gateway.countries:
        return f"does not serve {country}"
    return None
