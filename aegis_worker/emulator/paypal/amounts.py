"""Amounts as PayPal writes them: developer.paypal.com/api/rest/reference/currency-codes. Pure.

The ledger counts in the minor units of ISO 4217, which has two decimals for each of these currencies but the yen.
"""

from __future__ import annotations

import re
from typing import Any

from .errors import Refused

_WITHOUT_DECIMALS = frozenset({"HUF", "JPY", "TWD"})
_WITH_DECIMALS = "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN SEK SGD THB USD"
_CURRENCIES = _WITHOUT_DECIMALS | frozenset(_WITH_DECIMALS.split())
_MOST_AMOUNT = 99_999_999_999
_VALUE = re.compile(r"-?(\d{1,15})(?:\.(\d+))?")


def minor(money: Any) -> tuple[int, str]:
    """An amount in minor units, and its currency. Raises Refused(400 or 422)."""
    value = money.get("value") if type(money) is dict else None
    currency = money.get("currency_code") if type(money) is dict else None
    if type(value) is not str or type(currency) is not str:
        raise Refused("MISSING_REQUIRED_PARAMETER", field="/amount")
    if currency not in _CURRENCIES:
        raise Refused("INVALID_CURRENCY_CODE", field="/amount/currency_code")
    found = _VALUE.fullmatch(value)
    if found is None:
        raise Refused("INVALID_PARAMETER_SYNTAX", field="/amount/value")
    whole, decimals = found[1], found[2] or ""
    if currency in _WITHOUT_DECIMALS and decimals:
        raise Refused("DECIMALS_NOT_SUPPORTED", field="/amount/value")
    if len(decimals) > 2:
        raise Refused("DECIMAL_PRECISION", field="/amount/value")
    amount = int(whole) if currency == "JPY" else int(whole) * 100 + int(decimals.ljust(2, "0"))
    if value.startswith("-") or not 0 < amount <= _MOST_AMOUNT:
        raise Refused("CANNOT_BE_ZERO_OR_NEGATIVE", field="/amount/value")
    return amount, currency


def money(amount: int, currency: str) -> dict[str, str]:
    """Minor units as PayPal shows them."""
    if currency == "JPY":
        value = str(amount)
    elif currency in _WITHOUT_DECIMALS:
        value = str(amount // 100)
    else:
        value = f"{amount // 100}.{amount % 100:02}"
    return {"currency_code": currency, "value": value}
