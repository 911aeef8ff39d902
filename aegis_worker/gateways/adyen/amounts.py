"""Adyen's own units: docs.adyen.com/development-resources/currency-codes. Pure."""

from __future__ import annotations

from ..kit.amounts import Amounts

# "For CLP, CVE, IDR, and ISK the standard has a different number of decimals."
AMOUNTS = Amounts(exponents={"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2})
