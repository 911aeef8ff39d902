"""A payment as hooks are shown it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aegis_worker.domain.cards import is_vaulted
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.terms import PaymentTerms

from .contexts import CardFacts, PaymentFacts


def facts_of(payment: Payment, created_at: datetime | None = None) -> PaymentFacts:
    """The facts of a payment that was accepted."""
    return facts_of_terms(payment.terms, payment.merchant_id, payment.mode, payment.id, created_at)


def facts_of_terms(
    terms: PaymentTerms,
    merchant_id: str,
    mode: Mode,
    payment_id: str | None = None,
    created_at: datetime | None = None,
) -> PaymentFacts:
    """The facts of what a merchant asks for, before or after it is accepted."""
    return PaymentFacts(
        id=payment_id,
        merchant_id=merchant_id,
        mode=mode,
        amount_minor=terms.amount.minor,
        currency=terms.amount.currency,
        method=terms.payment_method["type"],
        created_at=created_at,
        card=_card_of(terms.payment_method),
        capture_method=terms.capture_method,
        customer_id=terms.customer.get("id"),
        customer_country=terms.customer.get("country"),
        reference=terms.reference,
        description=terms.description,
        statement_descriptor=terms.statement_descriptor,
        metadata=terms.metadata,
        order_lines=terms.order_lines,
        off_session=bool(terms.off_session),
        off_session_reason=terms.off_session_reason,
        setup_future_usage=terms.setup_future_usage,
        scheduled_at=terms.scheduled_at,
    )


def _card_of(method: Mapping[str, Any]) -> CardFacts | None:
    if not is_vaulted(method):
        return None
    return CardFacts(
        method.get("network"),
        method.get("last4"),
        method.get("exp_month"),
        method.get("exp_year"),
        method.get("fingerprint"),
    )
