"""Whether a gateway may take a payment now, and if not, why not and for how long. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment
from aegis_worker.gateways.base import Capabilities, GatewayConfig
from aegis_worker.resilience.permits import GatewayHealth

# Nobody knows when an operator will let a paused gateway go on; this is how often its payments look.
PAUSED_LOOK_S = 30.0


def sort_out(
    payment: Payment,
    gateways: Sequence[GatewayConfig],
    health: Mapping[str, GatewayHealth],
    paused: Collection[str],
    able: Mapping[str, Capabilities] = MappingProxyType({}),
) -> tuple[list[GatewayConfig], dict[str, str], dict[str, float]]:
    """The gateways that may take the payment, in the given order; why not, for each of the others; and in how many
    seconds to ask again, for those that are out only for now. `able`: what each can do; one that is missing can do all.
    """
    money = payment.amount
    currency, method = money.currency, payment.payment_method["type"]
    country = payment.customer.get("country")
    eligible: list[GatewayConfig] = []
    left_out: dict[str, str] = {}
    back_in_s: dict[str, float] = {}
    for gateway in gateways:
        name = gateway.name
        known = health.get(name)
        if not gateway.enabled:
            left_out[name] = "is switched off"
        elif gateway.mode != payment.mode:
            left_out[name] = f"takes {gateway.mode} payments, and this is a {payment.mode} one"
        elif gateway.currencies and currency not in gateway.currencies:
            left_out[name] = f"does not take {currency}"
        elif gateway.methods and method not in gateway.methods:
            left_out[name] = f"does not take {method}"
        elif gateway.countries and country is not None and country not in gateway.countries:
            left_out[name] = f"does not serve {country}"
        elif name in able and (lacks := _lacks(payment, able[name])):
            left_out[name] = lacks
        elif gateway.amounts and (beyond := _beyond_limits(money, gateway)):
            left_out[name] = beyond
        elif name in paused:
            left_out[name], back_in_s[name] = "is paused by an operator", PAUSED_LOOK_S
        elif known is not None and known.state is BreakerState.OPEN and known.retry_in_s > 0:
            left_out[name] = f"has an open breaker for another {known.retry_in_s:.0f} s"
            back_in_s[name] = known.retry_in_s
        else:
            eligible.append(gateway)
    return eligible, left_out, back_in_s


def _lacks(payment: Payment, able: Capabilities) -> str | None:
    if not able.amounts.takes(payment.amount):
        return f"can't take {payment.amount} exactly"
    if payment.terms.capture_method == "manual" and not able.holds:
        return "can't hold funds to be captured later"
    return None


def _beyond_limits(money: Money, gateway: GatewayConfig) -> str | None:
    limits = gateway.amounts.get(money.currency)
    if limits is None:
        return None
    if money.minor < limits.min_minor:
        return f"takes {Money(limits.min_minor, money.currency)} or more"
    if limits.max_minor is not None and money.minor > limits.max_minor:
        return f"takes {Money(limits.max_minor, money.currency)} or less"
    return None
