"""Erasing: what is known of a customer's person goes, where they ask for it (design D17).

Payments, events and attempts stay: they hold the merchant's own id of the customer, and nothing else of the person. So the
events still fold to the row. What was erased is sent nowhere any more: nothing holds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from aegis_worker.domain.modes import MODES, Owner
from aegis_worker.persistence import audit_log
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.erasing import KINDS, erase_some

ERASING, ERASED = "customer.erasing", "customer.erased"

Destroy = Callable[[Owner, str], int]
"""Destroys a customer's cards in the vault, and returns how many there were. Raises VaultUnavailable."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows of each kind were erased, and how many `cards` of the vault destroyed. `complete`: nothing is left."""

    counts: Mapping[str, int]
    complete: bool


def erase_customer(
    database: Database,
    merchant_id: str,
    customer_id: str,
    *,
    actor: str,
    reason: str,
    destroy: Destroy,
    limit: int = 1000,
    budget_s: float | None = None,
) -> Erased:
    """Erase, in both modes: the customer's cards in the vault, and of all their payments the customer's name and e-mail
    address, by what was paid, what the merchant wrote freely, the payer's details, what the payer had to do and brought
    back, what gateways wrote, what was exchanged with them, and what endpoints answered.

    `limit`: rows a statement. Begins no statement after `budget_s`; the next call does the rest, and one with nothing left
    to do changes nothing. A payment that was not charged yet fails (`payer_erased`); a worker that has it in its hands may
    still make the call that it was about to make. The audit log keeps who began it and why, before anything is erased, and
    how much was. Raises InvalidReason, VaultUnavailable or DatabaseUnavailable; what was erased by then is erased.
    """
    told = {
        "merchant_id": merchant_id,
        "customer_id": customer_id,
        "reason": audit_log.checked_reason(reason),
    }
    database.run(partial(audit_log.append, actor=actor, action=ERASING, details=told))
    owners = [Owner(merchant_id, mode) for mode in MODES]
    counts = {"cards": sum(destroy(owner, customer_id) for owner in owners), **dict.fromkeys(KINDS, 0)}
    stop_at = None if budget_s is None else time.monotonic() + budget_s
    complete = all(
        _erase_all(database, owner, customer_id, kind, counts, limit, stop_at)
        for kind in KINDS
        for owner in owners
    )
    done = {**told, **counts, "complete": complete}
    database.run(partial(audit_log.append, actor=actor, action=ERASED, details=done))
    return Erased(counts, complete)


def _erase_all(
    database: Database,
    owner: Owner,
    customer_id: str,
    kind: str,
    counts: dict[str, int],
    limit: int,
    stop_at: float | None,
) -> bool:
    """Whether nothing of the kind is left."""
    work = partial(erase_some, owner=owner, customer_id=customer_id, kind=kind, limit=limit)
    while stop_at is None or time.monotonic() < stop_at:
        gone = database.run(work)
        counts[kind] += gone
        if gone == 0:
            return True
    return False
