"""Money is an integer of minor units and a currency; the exponent comes from ISO 4217 (JPY 0, USD 2, BHD 3)."""

from __future__ import annotations

from msgspec import Struct

from .currencies import EXPONENTS

MAX_MINOR = 99_999_999_999


class Money(Struct, frozen=True):
    """`Money(1999, "USD")` is 19.99 US dollars. Raises ValueError for a bool, a float, a negative or unknown currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int or not 0 <= self.minor <= MAX_MINOR:
            raise ValueError(f"minor units must be an integer from 0 to {MAX_MINOR}, not {self.minor!r}")
        if self.currency not in EXPONENTS:
            raise ValueError(f"{self.currency!r} is not an ISO 4217 currency that can be charged")

    def decimal(self) -> str:
        """The amount as a decimal string (`19.99`)."""
        return as_decimal(self.minor, EXPONENTS[self.currency])

    def __str__(self) -> str:
        return f"{self.decimal()} {self.currency}"


def as_decimal(units: int, exponent: int) -> str:
    """Units as a decimal string with `exponent` decimals, for gateways and people that want one: the only such place."""
    if exponent == 0:
        return str(units)
    digits = str(units).rjust(exponent + 1, "0")
    return f"{digits[:-exponent]}.{digits[-exponent:]}"
