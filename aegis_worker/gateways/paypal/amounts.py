"""PayPal's own units: developer.paypal.com/api/rest/reference/currency-codes. Pure."""

from __future__ import annotations

from ..kit.amounts import Amounts

_TAKEN = "AUD BRL CAD CNY CZK DKK EUR HKD HUF ILS JPY MYR MXN TWD NZD NOK PHP PLN GBP SGD SEK CHF THB USD"

# The forint and the Taiwan dollar have no decimals there. Nothing is rounded: HUF 100.50 can't be paid.
AMOUNTS = Amounts(exponents={"HUF": 0, "TWD": 0}, currencies=frozenset(_TAKEN.split()))
