"""How a gateway writes amounts that don't follow ISO 4217. Pure.

Some gateways count a currency in other units than ISO's minor units (one takes Icelandic króna in hundredths), and some
accept only multiples of a step (one wants the last of three decimals to be 0). Nothing is ever rounded: an amount that
can't be written exactly is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR, Money, as_decimal

from .reading import Unreadable

# No gateway writes an amount in exponents, with a sign, or without a digit before the point.
_DECIMAL = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,4}))?")


class AmountNotTaken(ValueError):
    """The gateway has no way to write the amount exactly."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """A gateway's units by currency. A currency that is missing follows ISO 4217, in steps of one.

    `exponents`: the decimals that the gateway counts. `steps`: what amounts must be a multiple of, in the gateway's
    units. `Amounts(exponents={"ISK": 2}, steps={"ISK": 100, "BHD": 10})` writes 5 ISK as 500, and refuses 12.345 BHD.
    `currencies`: the only ones that the gateway takes; None: any.
    """

    exponents: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    currencies: frozenset[str] | None = None

    def takes(self, amount: Money) -> bool:
        """Whether the gateway takes the currency, and can write the amount exactly."""
        if self.currencies is not None and amount.currency not in self.currencies:
            return False
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

    def written_decimal(self, amount: Money) -> str:
        """The amount as the gateway's decimal string, such as `19.99`. Raises AmountNotTaken."""
        return as_decimal(self.written(amount), self._exponent(amount.currency))

    def read_decimal(self, text: str, currency: str) -> int:
        """ISO's minor units for a decimal string of the gateway. Raises Unreadable for what it would never write."""
        found, exponent = _DECIMAL.fullmatch(text), self._exponent(currency)
        if found is None or len((found[2] or "").rstrip("0")) > exponent:
            raise Unreadable(f"an amount that can be none in {currency}")
        decimals = (found[2] or "")[:exponent].ljust(exponent, "0")
        return self.read(int(found[1] + decimals), currency)

    def _units(self, amount: Money) -> tuple[int, int]:
        ours: int = 10 ** EXPONENTS[amount.currency]
        theirs: int = 10 ** self._exponent(amount.currency)
        return divmod(amount.minor * theirs, ours)

    def _exponent(self, currency: str) -> int:
        return self.exponents.get(currency, EXPONENTS[currency])


ISO_AMOUNTS = Amounts()
