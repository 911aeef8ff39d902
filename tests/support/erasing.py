"""Erasing a customer, as an installation without a vault does."""

from __future__ import annotations

from typing import Any

from aegis_worker.erasing import Erased, erase_customer
from aegis_worker.persistence.database import Database

NOTHING_ERASED = {
    "cards": 0,
    "payments": 0,
    "reviews": 0,
    "payer_details": 0,
    "actions": 0,
    "confirms": 0,
    "event_bodies": 0,
    "exchanges": 0,
    "endpoint_answers": 0,
    "facts": 0,
}


def erase(database: Database, customer_id: str = "cus_117", **more: Any) -> Erased:
    """Erase a customer of the merchant m_1."""
    given: dict[str, Any] = {
        "actor": "cli:night",
        "reason": "asked for it",
        "destroy": lambda owner, customer: 0,
        **more,
    }
    return erase_customer(database, "m_1", customer_id, **given)
