"""How amounts are written for gateways that count otherwise than ISO 4217: exactly, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.money import MAX_MINOR, Money
from aegis_worker.gateways.kit.amounts import ISO_AMOUNTS, AmountNotTaken, Amounts
from aegis_worker.gateways.kit.reading import Unreadable

# More decimals than ISO has for a currency, fewer, and steps.
OTHERWISE = Amounts(exponents={"ISK": 2, "CLP": 2, "IDR": 0}, steps={"ISK": 100, "BHD": 10, "USD": 5})
MONEY = st.builds(Money, st.integers(0, MAX_MINOR), st.sampled_from(sorted(EXPONENTS)))


@pytest.mark.parametrize(
    ("amount", "units"),
    [
        (Money(5, "ISK"), 500),
        (Money(1990, "CLP"), 199_000),
        (Money(150_000, "IDR"), 1500),
        (Money(12_340, "BHD"), 12_340),
        (Money(1999, "EUR"), 1999),
    ],
)
def test_amounts_are_written_in_the_gateways_units_and_read_back(amount: Money, units: int) -> None:
    assert OTHERWISE.written(amount) == units
    assert OTHERWISE.read(units, amount.currency) == amount.minor


@pytest.mark.parametrize("amount", [Money(12_345, "BHD"), Money(150_001, "IDR"), Money(1999, "USD")])
def test_what_can_not_be_written_exactly_is_not_taken_and_never_rounded(amount: Money) -> None:
    assert not OTHERWISE.takes(amount)
    with pytest.raises(AmountNotTaken, match=str(amount)):
        OTHERWISE.written(amount)


@pytest.mark.parametrize(("units", "currency"), [(501, "ISK"), (MAX_MINOR, "IDR")])
def test_an_answer_with_an_amount_that_the_currency_can_not_have_is_not_readable(
    units: int, currency: str
) -> None:
    with pytest.raises(Unreadable, match=currency):
        OTHERWISE.read(units, currency)


@given(MONEY)
def test_whatever_is_written_is_read_back_as_it_was(amount: Money) -> None:
    assert ISO_AMOUNTS.written(amount) == amount.minor
    for amounts in (ISO_AMOUNTS, OTHERWISE):
        if amounts.takes(amount):
            assert amounts.read(amounts.written(amount), amount.currency) == amount.minor
