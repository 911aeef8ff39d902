"""Amounts as Braintree writes them: decimals in the currency of the merchant account. Pure.

developer.paypal.com/braintree/docs/reference/general/currencies; a sale names no currency of its own.
"""

from __future__ import annotations

import re

_ACCOUNT = re.compile(r"emulated_([a-z]{3})")
DEFAULT_ACCOUNT = "emulated_usd"
_WITHOUT = "CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_WITH = (
    "AED ARS AUD AZN BDT BGN BRL CAD CHF CNY COP CRC CZK DKK DOP EGP EUR GBP GEL GTQ HKD HRK HUF IDR ILS INR JMD KES KZT"
    " LKR MAD MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD TZS UAH USD UYU ZAR"
)
_WITHOUT_DECIMALS, _WITH_DECIMALS = frozenset(_WITHOUT.split()), frozenset(_WITH.split())
_VALUE = re.compile(r"(-?)(\d{1,15})(?:\.(\d{1,2}))?")
_MOST_AMOUNT = 99_999_999_999


def currency_of(account: str) -> str | None:
    """The currency of a merchant account; None where there is no such account."""
    found = _ACCOUNT.fullmatch(account)
    currency = found[1].upper() if found else ""
    return currency if currency in _WITHOUT_DECIMALS or currency in _WITH_DECIMALS else None


def minor(value: str, currency: str) -> int | None:
    """An amount in the minor units of ISO 4217, below 0 for a negative one; None where it is no amount of the currency."""
    found = _VALUE.fullmatch(value)
    if found is None:
        return None
    sign, whole, decimals = found[1], found[2], (found[3] or "").ljust(2, "0")
    if currency in _WITHOUT_DECIMALS:
        amount = int(whole) if decimals == "00" else None
    else:
        amount = int(whole) * 100 + int(decimals)
    return -amount if amount and sign else amount


def is_too_large(amount: int) -> bool:
    """Whether an amount in minor units is beyond what is taken."""
    return amount > _MOST_AMOUNT


def decimal(amount: int, currency: str) -> str:
    """Minor units as Braintree shows them: two decimals, or none in a currency without them."""
    return str(amount) if currency in _WITHOUT_DECIMALS else f"{amount // 100}.{amount % 100:02}"


def major(amount: int, currency: str) -> tuple[int, int]:
    """An amount in whole units of the currency, and the hundredths beside them."""
    return (amount, 0) if currency in _WITHOUT_DECIMALS else divmod(amount, 100)
