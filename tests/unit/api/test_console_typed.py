"""What people type at the console: an amount is digits and a point, and nothing else that a number may be written as."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis_api.console.typed import amount_in


@pytest.mark.parametrize(("typed", "amount"), [("12.50", "12.5"), (" 1,280.50 ", "1280.5"), ("7", "7")])
def test_an_amount_is_read(typed: str, amount: str) -> None:
    assert amount_in(typed) == Decimal(amount)


@pytest.mark.parametrize(
    "typed",
    ["", "much", "1e3", "1e999999", "NaN", "sNaN", "Infinity", "-1", "1_0", "0x1", "१९", "9" * 40, "1.\n"],
)
def test_what_is_no_amount_is_none(typed: str) -> None:
    assert amount_in(typed) is None
