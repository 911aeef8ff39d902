"""Braintree's emulator reads what the adapter writes, and writes what it reads, as the same minor units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.domain.money import Money
from aegis_worker.emulator.braintree.amounts import currency_of, decimal, minor
from aegis_worker.gateways.kit.amounts import Amounts

CURRENCIES = ["CLP", "EUR", "HUF", "INR", "ISK", "JPY", "KRW", "TWD", "USD"]
AMOUNTS = Amounts(currencies=frozenset(CURRENCIES))


@pytest.mark.parametrize("currency", CURRENCIES)
@given(amount=st.integers(1, 99_999_999_999))
def test_emulator_and_adapter_count_alike(currency: str, amount: int) -> None:
    assert minor(AMOUNTS.written_decimal(Money(amount, currency)), currency) == amount
    assert AMOUNTS.read_decimal(decimal(amount, currency), currency) == amount


@pytest.mark.parametrize(
    ("account", "currency"), [("emulated_usd", "USD"), ("emulated_xyz", None), ("shop", None)]
)
def test_the_currency_is_that_of_the_merchant_account(account: str, currency: str | None) -> None:
    assert currency_of(account) == currency
