"""What people type into forms: amounts, and the version that they looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

# No exponents and no NaN: neither is how an amount is written.
_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,6})?", re.ASCII)


def amount_in(text: str) -> Decimal | None:
    """The amount that is written there, such as `1,280.50`; None where none is."""
    plain = text.replace(",", "").strip()
    return Decimal(plain) if _AMOUNT.fullmatch(plain) else None


def version_in(form: Mapping[str, str]) -> int | None:
    """The version that the person looked at."""
    written = form.get("version", "")
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 10 else None
