"""Disputes as Razorpay shows them: razorpay.com/docs/api/disputes/entity. Pure."""

from __future__ import annotations

from typing import Any

from ..rows import Document

# The status, and the phase.
_STATUSES = {
    "warning": ("open", "retrieval"),
    "needs_response": ("open", "chargeback"),
    "under_review": ("under_review", "chargeback"),
    "closed": ("closed", "retrieval"),
    "accepted": ("lost", "chargeback"),
    "won": ("won", "chargeback"),
    "lost": ("lost", "chargeback"),
}
_REASONS = {
    "fraudulent": "fraudulent_transaction",
    "product_not_received": "goods_or_services_not_received_or_partially_received",
}


def dispute_object(dispute: Document) -> dict[str, Any]:
    """A dispute. What is deducted from the merchant is so once it is lost."""
    body = dispute.body
    status, phase = _STATUSES[body["status"]]
    return {
        "id": dispute.id,
        "entity": "dispute",
        "payment_id": dispute.payment_id,
        "amount": body["amount"],
        "currency": body["currency"],
        "amount_deducted": body["amount"] if status == "lost" else 0,
        "reason_code": _REASONS.get(body["reason"], "others"),
        "respond_by": body["respond_by"],
        "status": status,
        "phase": phase,
        "created_at": body["created"],
        "evidence": {"amount": body["amount"], "summary": None, "submitted_at": None},
    }


def event_of(before: Document | None, after: Document) -> str:
    """What a webhook calls the change; `before` is None for a new one."""
    status = _STATUSES[after.body["status"]][0]
    if before is None:
        return "payment.dispute.created"
    return f"payment.dispute.{'action_required' if status == 'open' else status}"
