"""Whether a gateway may take a payment now, and if not, why not and for how long. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.cards import is_vaulted
from aegis_worker.domain.instruments import is_bare, missing_field
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.resilience.permits import GatewayHealth

# Nobody knows when an operator will let a paused gateway go on; this is how often its payments look.
PAUSED_LOOK_S = 30.0


class Candidate(Protocol):
    """A gateway as routing sees it."""

    @property
    def config(self) -> GatewayConfig:
        """What is set for it."""

    @property
    def capabilities(self) -> Capabilities:
        """What its adapter needs and promises."""


def sort_out(
    payment: Payment,
    gateways: Sequence[Candidate],
    health: Mapping[str, GatewayHealth],
    paused: Collection[str],
) -> tuple[list[GatewayConfig], dict[str, str], dict[str, float]]:
    """The gateways that may take the payment, in the given order; why not, for each of the others; and in how many
    seconds to ask again, for those that are out only for now.
    """
    eligible: list[GatewayConfig] = []
    left_out: dict[str, str] = {}
    back_in_s: dict[str, float] = {}
    for gateway in gateways:
        name = gateway.config.name
        known = health.get(name)
        why = does_not_take(payment.terms, payment.mode, gateway) or has_nothing_for(payment.terms, gateway)
        if why is not None:
            left_out[name] = why
        elif name in paused:
            left_out[name], back_in_s[name] = "is paused by an operator", PAUSED_LOOK_S
        elif known is not None and known.state is BreakerState.OPEN and known.retry_in_s > 0:
            left_out[name] = f"has an open breaker for another {known.retry_in_s:.0f} s"
            back_in_s[name] = known.retry_in_s
        else:
            eligible.append(gateway.config)
    return eligible, left_out, back_in_s


def _lacks(terms: PaymentTerms, able: Capabilities) -> str | None:
    taken = able.amounts.currencies
    if taken is not None and terms.amount.currency not in taken:
        return f"does not take {terms.amount.currency}"
    if not able.takes(terms.amount):
        return f"can't take {terms.amount} exactly"
    if terms.capture_method == "manual" and not able.holds:
        return "can't hold funds to be captured later"
    return None


def does_not_take(terms: PaymentTerms, mode: Mode, candidate: Candidate) -> str | None:
    """Why the gateway takes no payment like this, whatever its token is; follows the gateway's name. None where it does."""
    currency, method = terms.amount.currency, terms.payment_method["type"]
    country = terms.customer.get("country")
    gateway, capabilities = candidate.config, candidate.capabilities
    if not gateway.enabled:
        return "is switched off"
    if gateway.mode != mode:
        return f"takes {gateway.mode} payments, and this is a {mode} one"
    if gateway.currencies and currency not in gateway.currencies:
        return f"does not take {currency}"
    if method not in capabilities.methods or (gateway.methods and method not in gateway.methods):
        return f"does not take {method}"
    if method in capabilities.held_only and terms.capture_method != "manual":
        return f"takes {method} only to be captured later"
    provider = terms.payment_method.get("provider")
    if provider is not None and capabilities.providers is not None and provider not in capabilities.providers:
        return f"does not take {provider}"
    if gateway.countries and country is not None and country not in gateway.countries:
        return f"does not serve {country}"
    return _lacks(terms, capabilities) or (_beyond_limits(terms.amount, gateway) if gateway.amounts else None)


def has_nothing_for(terms: PaymentTerms, gateway: Candidate) -> str | None:
    """What the payment lacks at a gateway that takes its type of payment method; follows the gateway's name. None where
    it has all that the gateway needs.

    A bare token is for the gateways that take such tokens, and for no other: it may be a real gateway's.
    """
    method, capabilities = terms.payment_method, gateway.capabilities
    if is_vaulted(method):
        return takes_no_cards(gateway)
    if is_bare(method) and not takes_bare(method["token"], capabilities):
        return "has no token of its own"
    missing = missing_field(method, gateway.config.name, capabilities.methods[method["type"]])
    if missing is None:
        return None
    return "has no token of its own" if missing == "token" else f"needs a {missing}"


def takes_no_cards(gateway: Candidate) -> str | None:
    """Why the gateway can't be sent a card of the vault, by number; follows the gateway's name. None where it can."""
    if not gateway.capabilities.cards:
        return "takes no card numbers"
    return None if gateway.config.raw_cards else "is not set to be sent card numbers (raw_cards)"


def takes_bare(token: str, capabilities: Capabilities) -> bool:
    """Whether the gateway takes the token although nobody says that it issued it."""
    form = capabilities.bare_tokens
    return form is not None and form.fullmatch(token) is not None


def _beyond_limits(money: Money, gateway: GatewayConfig) -> str | None:
    limits = gateway.amounts.get(money.currency)
    if limits is None:
        return None
    if money.minor < limits.min_minor:
        return f"takes {Money(limits.min_minor, money.currency)} or more"
    if limits.max_minor is not None and money.minor > limits.max_minor:
        return f"takes {Money(limits.max_minor, money.currency)} or less"
    return None
