"""The JSON form of a payment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.domain.payment import Payment
from aegis_worker.domain.screening import metadata_of

from .screening import told_screening
from .values import rfc3339_or_none


def payment_body(payment: Payment, created_at: datetime, updated_at: datetime) -> dict[str, Any]:
    """A payment. Objects from the merchant have sorted keys, whether they come from the request or the database."""
    path, terms, created = f"/v1/payments/{payment.id}", payment.terms, rfc3339(created_at)
    return {
        "id": payment.id,
        "object": "payment",
        "mode": payment.mode,
        "amount": terms.amount.minor,
        "currency": terms.amount.currency,
        "reference": terms.reference,
        "state": payment.state.value,
        "certainty": payment.certainty,
        "capture_method": terms.capture_method,
        "payment_method": _sorted(terms.payment_method),
        "customer": _sorted(terms.customer),
        "description": terms.description,
        "statement_descriptor": terms.statement_descriptor,
        "return_url": terms.return_url,
        "scheduled_at": rfc3339_or_none(terms.scheduled_at),
        "off_session": terms.off_session or False,
        "off_session_reason": terms.off_session_reason,
        "setup_future_usage": terms.setup_future_usage,
        "network_transaction_id": terms.network_transaction_id,
        "mandate": terms.mandate,
        "order_lines": terms.order_lines and [_sorted(line) for line in terms.order_lines],
        "metadata": _sorted(metadata_of(payment)),
        "amounts": {
            "authorized": payment.authorized_minor,
            "captured": payment.captured_minor,
            "refunded": payment.refunded_minor,
            "capturing": payment.capturing_minor,
            "refunding": payment.refunding_minor,
            "capturable": payment.capturable_minor,
            "refundable": payment.refundable_minor,
            "disputed": payment.disputed_minor,
            "charged_back": payment.charged_back_minor,
        },
        "capture_before": payment.capture_before,
        "gateway": payment.gateway,
        "gateway_ref": payment.gateway_ref,
        "last_error": payment.last_error,
        "next_action": payment.next_action,
        "screening": told_screening(payment),
        "version": payment.version,
        "created_at": created,
        "updated_at": created if updated_at == created_at else rfc3339(updated_at),
        "links": {"self": path, "events": f"{path}/events", "attempts": f"{path}/attempts"},
    }


def whole_action(payment: Payment, secret: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the payer has to do, for the merchant's frontend; without `secret`, its type and end alone."""
    if payment.next_action is None or secret is None:
        return None if payment.next_action is None else dict(payment.next_action)
    gateway = {"gateway": payment.gateway} if secret["type"] == "sdk" else {}
    return {"type": secret["type"], **gateway, **secret, **payment.next_action}


def _sorted(given: Mapping[str, Any]) -> dict[str, Any]:
    # jsonb doesn't keep the order of keys. Without sorting, a replay would spell the same answer differently.
    return {name: given[name] for name in sorted(given)}
