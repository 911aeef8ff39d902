"""A payment made by hand, as the domain has it: for tests that need no database."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment


def a_payment(**changes: Any) -> Payment:
    """A card payment of 19.99 USD that nothing has happened to, but for the changes."""
    fields: dict[str, Any] = {
        "id": "pay_" + "0" * 32,
        "merchant_id": "m_1",
        "amount": Money(1999, "USD"),
        "capture_method": "automatic",
        "payment_method": {"type": "card", "token": "tok_ok"},
    }
    return Payment(**(fields | changes))
