"""How a gateway writes amounts, where it does not go by ISO 4217. Pure.

Some gateways count a currency in other units than ISO's minor units (one takes Icelandic króna in hundredths), and some
take no amount between two steps (one wants the last of three decimals to be 0). Nothing is ever rounded: what can't be
written exactly is not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR, Money

from .reading import Unreadable


class AmountNotTaken(ValueError):
    """The gateway has no way to write the amount exactly."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """A gateway's units, by currency; a currency that is missing goes by ISO 4217, in steps of one.

    `exponents`: how many decimals the gateway counts. `steps`: what amounts must be a multiple of, in the gateway's units.
    `Amounts(exponents={"ISK": 2}, steps={"ISK": 100, "BHD": 10})` writes 5 ISK as 500, and takes no 12.345 BHD.
    """

    exponents: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)

    def takes(self, amount: Money) -> bool:
        """Whether the gateway can write the amount exactly."""
        units, rest = self._units(amount)
        return rest == 0 and units % self.steps.get(amount.currency, 1) == 0

    def written(self, amount: Money) -> int:
        """The amount in the gateway's units. Raises AmountNotTaken."""
        if not self.takes(amount):
            raise AmountNotTaken(f"the gateway can't take {amount} exactly")
        return self._units(amount)[0]

    def read(self, units: int, currency: str) -> int:
        """ISO's minor units for an amount in the gateway's. Raises Unreadable where they are none exactly."""
        ours: int = 10 ** EXPONENTS[currency]
        theirs: int = 10 ** self._exponent(currency)
        minor, rest = divmod(units * ours, theirs)
        if rest or minor > MAX_MINOR:
            raise Unreadable(f"an amount that can be none in {currency}")
        return minor

    def _units(self, amount: Money) -> tuple[int, int]:
        ours: int = 10 ** EXPONENTS[amount.currency]
        theirs: int = 10 ** self._exponent(amount.currency)
        return divmod(amount.minor * theirs, ours)

    def _exponent(self, currency: str) -> int:
        return self.exponents.get(currency, EXPONENTS[currency])


ISO_AMOUNTS = Amounts()
