"""Stripe's own units: docs.stripe.com/currencies, "Special cases" and "Three-decimal currencies". Pure."""

from __future__ import annotations

from ..kit.amounts import Amounts

_THREE_DECIMALS = ("BHD", "JOD", "KWD", "OMR", "TND")

# ISK and UGX count as if they had two decimals, which must be 0; the ariary counts as if it had none. The last of three
# decimals must be 0.
AMOUNTS = Amounts(
    exponents={"ISK": 2, "UGX": 2, "MGA": 0},
    steps={"ISK": 100, "UGX": 100, **dict.fromkeys(_THREE_DECIMALS, 10)},
)
