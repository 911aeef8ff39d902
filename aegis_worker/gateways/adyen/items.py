"""Notifications' items, as their kept events have them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.money import Money


class Item(Struct, frozen=True):
    """One item. `psp`: Adyen's reference of what it is about; `payment_ref`: that of the payment."""

    psp: str
    code: str
    success: bool
    reference: str | None
    payment_ref: str | None
    amount: Money


def event_id(psp: str, code: str, success: str) -> str:
    """By what Adyen tells two items apart, the same in every delivery."""
    return f"{psp}:{code}:{success}"


def items_of(told: Sequence[Told]) -> list[Item]:
    """The items that events were made of. The event's id holds what else tells two of them apart."""
    found = []
    for one in told:
        psp, _, rest = one.event_id.partition(":")
        code, _, success = rest.partition(":")
        if success in ("true", "false") and one.amount is not None:
            found.append(Item(psp, code, success == "true", one.reference, one.gateway_ref, one.amount))
    return found
