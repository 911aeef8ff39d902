"""How a gateway writes amounts that don't follow ISO 4217. Pure.

Some gateways count a currency in other units than ISO's minor units (one takes Icelandic króna in hundredths), and some
accept only multiples of a step (one wants the last of three decimals to be 0). Nothing is ever rounded: an amount that
can't be written exactly is not sent.
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
    """A gateway's units by currency. A currency that is missing follows ISO 4217, in steps of one.

    `exponents`: the decimals that the gateway counts. `steps`: what amounts must be a multiple of, in the gateway's
    units. `Amounts(exponents={"ISK": 2}, steps={"ISK": 100, "BHD": 10})` writes 5 ISK as 500, and refuses 12.345 BHD.
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
        """ISO's minor units for an amount in the gateway's units. Raises Unreadable if there is no exact equivalent."""
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
