"""What is explored: a payment, the gateways that it may go to, and the settings of the installation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.terms import PaymentTerms
from aegis_worker.gateways.capabilities import Capabilities
from aegis_worker.gateways.config import GatewayConfig
from aegis_worker.pipeline.work import Policy

from .rows_orders import Wanted

# The worker's clock reads 0 at its claim; then the time of day is this, in seconds since 1970.
EPOCH_S = 1_800_000_000.0
PAYMENT_ID = "pay_" + "0" * 32
TERMS = PaymentTerms(Money(1999, "USD"), {"type": "card", "token": "t"})

LookUps = Literal["prompt", "lagging", "none"]


class GatewaySetup(Struct, frozen=True):
    """A gateway as it is explored.

    `look_ups`: whether they show a call at once, some time within its absence window, or are not there: then only its
    events tell, where they are moves. `payer`: it
    may send the payer away. `decides_later`: it may leave a charge pending. `closes_late`: a call
    that closes the door may arrive late, or be answered with an error. `mixes_up`: its answers may
    be another payment's.
    """

    name: str
    capabilities: Capabilities
    look_ups: LookUps = "prompt"
    payer: bool = False
    decides_later: bool = False
    closes_late: bool = False
    mixes_up: bool = False
    slowest_call_s: float = 10.0

    def config(self) -> GatewayConfig:
        """Its table in config/gateways.toml, as far as decisions look at it."""
        return GatewayConfig(self.name, "explored", "", "", timeout_s=self.slowest_call_s - 2.0)


class Configuration(Struct, frozen=True):
    """One thing to explore. Times in seconds.

    `operation`: what its payment goes through, one of `scenarios.SCENARIOS`. `ladder_s`: when a charge that was given up is
    asked about, since its last answer. `orders`: what its merchant orders of the charge, one after the other.
    `release_before_s`: so long before its end a hold is released by us; 0: never.
    """

    name: str
    about: str
    operation: str
    gateways: tuple[GatewaySetup, ...]
    policy: Policy
    terms: PaymentTerms = TERMS
    lease_s: float = 90.0
    ladder_s: tuple[float, ...] = (900.0, 3600.0)
    orders: tuple[Wanted, ...] = ()
    release_before_s: float = 0.0
    options: Mapping[str, bool] = field(default_factory=dict)

    def gateway(self, name: str) -> GatewaySetup:
        """The gateway of this name."""
        return next(one for one in self.gateways if one.name == name)

    def position(self, name: str) -> int:
        """The place of the gateway of this name."""
        return next(place for place, one in enumerate(self.gateways) if one.name == name)


def able(
    *steps: Operation,
    keys_s: float = 600.0,
    window_s: float = 120.0,
    look_ups: bool = True,
    closes: bool = True,
) -> Capabilities:
    """A gateway of these steps; `keys_s` 0: without idempotency keys."""
    return Capabilities(
        steps=steps or (Operation.PROCESS,),
        key_lifetime_s=keys_s,
        absence_window_s=window_s,
        look_ups=frozenset(Operation) if look_ups else frozenset(),
        closes=closes,
        confirms=True,
        shows_twins=look_ups,
    )


# Longer than the ladder of look-ups that is explored.
LONG_S = 700.0
