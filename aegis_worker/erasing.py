"""Erasing: what is known of a customer's person goes, where they ask for it (design D17).

Payments, events and attempts stay: they hold the merchant's own id of the customer, and nothing else of the person.
"""

from __future__ import annotations

from functools import partial

from aegis_worker.domain.modes import MODES, Owner
from aegis_worker.persistence import audit_log
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.payer_details import Erased, erase_some

ERASED = "customer.erased"


def erase_customer(
    database: Database, merchant_id: str, customer_id: str, *, actor: str, limit: int = 1000
) -> Erased:
    """Erase the payer's details, the customer's name and e-mail address, what gateways wrote, and what was exchanged with
    them, of all the customer's payments, in both modes.

    `limit` payments a statement. What was erased is sent to no gateway any more; a worker that has a payment in its hands
    may still make the call that it was about to make. The audit log keeps who did it and how many rows. Raises
    DatabaseUnavailable; what was erased by then is erased.
    """
    erased = Erased(0, 0, 0, 0)
    for mode in MODES:
        work = partial(erase_some, owner=Owner(merchant_id, mode), customer_id=customer_id, limit=limit)
        while sum(gone := database.run(work)):
            erased = Erased(*map(sum, zip(erased, gone, strict=True)))
    told = {"merchant_id": merchant_id, **erased._asdict()}
    database.run(partial(audit_log.append, actor=actor, action=ERASED, details=told))
    return erased
