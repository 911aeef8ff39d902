"""Gateways that issue tokens of their own, as far as the payments of a demo or a crashtest depend on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import Money
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.lab.local.emulated import emulated

# Amounts here are multiples of ten, because not every gateway takes the last of three decimals.
_AN_AMOUNT = 1000


@dataclass(frozen=True, slots=True)
class Issuer:
    """`methods`: what it charges at once, in its `currencies`. `providers`: the only wallets and lenders; None: any.
    `captures_often`: more than once of a hold; `captures_parts`: less than all of it; `releases`: it gives a hold back.
    `has_tokens`: for cards; without them the payer of each payment says there by what they pay. `authenticates`: it sends
    payers to act.
    """

    name: str
    methods: frozenset[str]
    currencies: frozenset[str]
    providers: frozenset[str] | None = None
    captures_often: bool = True
    captures_parts: bool = True
    releases: bool = True
    has_tokens: bool = True
    authenticates: bool = True

    def token(self, sandboxes: str) -> str:
        """What it calls a test token of the sandboxes."""
        return emulated(self.name).token(sandboxes)


def issuers_of(names: Iterable[str], gateways: Mapping[str, PaymentGateway]) -> list[Issuer]:
    """The gateways of these names as issuers."""
    return [_issuer(gateways[name]) for name in names]


def _issuer(gateway: PaymentGateway) -> Issuer:
    config, can = gateway.config, gateway.capabilities
    return Issuer(
        config.name,
        frozenset(
            method
            for method in can.methods.keys() - can.held_only
            if not config.methods or method in config.methods
        ),
        frozenset(
            currency for currency in config.currencies or EXPONENTS if can.takes(Money(_AN_AMOUNT, currency))
        ),
        can.providers,
        can.several_captures,
        can.partial_captures,
        can.voids,
        "card" not in can.methods or "token" in can.methods["card"],
        emulated(config.adapter).authenticates,
    )
