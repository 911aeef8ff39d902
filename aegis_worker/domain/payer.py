"""Who pays, as gateways may want to know: personal data, which has one place only (design D17)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

FIELDS = frozenset({"email", "phone", "ip", "browser", "billing_address", "shipping_address"})


class Payer(Struct, frozen=True):
    """The details of one payment's payer, by the names of `FIELDS`: given once, never changed, erased as a whole.

    They are no part of a payment or its terms: those go into events, views and webhooks. What this prints names the fields
    only, so that no log and no error report shows more.
    """

    details: Mapping[str, Any]

    @property
    def fields(self) -> tuple[str, ...]:
        """What is known of the payer, sorted; none of it personal data."""
        return tuple(sorted(self.details))

    def only(self, fields: frozenset[str]) -> Payer | None:
        """What of it is in `fields`; None where that is nothing."""
        wanted = {name: value for name, value in self.details.items() if name in fields}
        return Payer(wanted) if wanted else None

    def __repr__(self) -> str:
        return f"Payer({', '.join(self.fields)})"
