"""`--amount` in minor units, as everywhere in AegisPay, with an explanation for people who write 19.99."""

from __future__ import annotations

import re
from decimal import Decimal

import click

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR, Money

# A decimal number as people write it, with one point or comma. Thousands separators are left out as ambiguous.
_DECIMAL = re.compile(r"\d{1,12}[.,]\d{1,4}|\d{1,12}")
_WORDS = re.compile(r"[A-Za-z$€£¥₹ ]+")


def minor_units(text: str, currency: str) -> int:
    """The amount in minor units. Raises click.UsageError that explains minor units and suggests the likely amount."""
    if re.fullmatch(r"[0-9]{1,18}", text) and int(text) > 0:
        return int(text)
    exponent = EXPONENTS.get(currency, 2)
    unit = {0: "has none, so they are whole units", 2: "counts them in hundredths", 3: "in thousandths"}
    known = (
        f"{currency} {unit.get(exponent, 'has its own')}" if currency in EXPONENTS else "cents and the like"
    )
    raise click.UsageError(
        f"--amount takes minor units ({known}) as a whole number above 0, without point, comma or currency"
        f"{_meant(text, currency)}"
    )


def _meant(text: str, currency: str) -> str:
    number = _WORDS.sub("", text)
    if currency in EXPONENTS and _DECIMAL.fullmatch(number):
        exact = Decimal(number.replace(",", ".")).scaleb(EXPONENTS[currency])
        if exact == exact.to_integral_value() and 0 < exact <= MAX_MINOR:
            return f": {Money(int(exact), currency)} is --amount {exact:.0f}"
    return ": 19.99 USD is --amount 1999"
