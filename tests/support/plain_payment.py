"""A payment as the domain has it, made by hand, for tests that need no database."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.modes import Mode
from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms


def a_payment(*, mode: Mode = "test", **terms: Any) -> Payment:
    """A new card payment of 19.99 USD, with other terms if they are given."""
    given: dict[str, Any] = {
        "amount": Money(1999, "USD"),
        "payment_method": {"type": "card", "token": "tok_ok"},
    }
    return Payment("pay_" + "0" * 32, "m_1", PaymentTerms(**(given | terms)), mode)
