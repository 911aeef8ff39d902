"""Compares payments at rest with their gateways, and keeps what was exchanged where a gateway differs from our record."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.comparison import Comparison, compare
from aegis_worker.persistence.ended_payments import EndedPayment

from .exchanges import Exchanges


def compared(
    gateways: Mapping[str, PaymentGateway], exchanges: Exchanges, payment: EndedPayment
) -> Comparison:
    """As `comparison.compare`. Millions that agree would fill the table with what nobody reads."""
    aside = exchanges.aside(payment.payment.id, "comparison")
    comparison = compare(
        gateways, payment.payment, payment.charges, payment.entities, payment.disputes, aside.noting
    )
    if comparison.differs:
        aside.keep()
    return comparison
