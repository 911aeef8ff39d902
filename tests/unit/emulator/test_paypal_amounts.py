"""PayPal's emulator reads what the adapter writes, and writes what it reads, as the same minor units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.domain.money import Money
from aegis_worker.emulator.paypal.amounts import minor, money
from aegis_worker.gateways.paypal.amounts import AMOUNTS


@pytest.mark.parametrize("currency", sorted(AMOUNTS.currencies or ()))
@given(amount=st.integers(1, 99_999_999_999))
def test_emulator_and_adapter_count_alike(currency: str, amount: int) -> None:
    ours = Money(amount, currency)
    if AMOUNTS.takes(ours):
        written = {"currency_code": currency, "value": AMOUNTS.written_decimal(ours)}
        assert minor(written) == (amount, currency)
        assert AMOUNTS.read_decimal(money(amount, currency)["value"], currency) == amount
