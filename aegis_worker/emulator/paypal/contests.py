"""Disputes as PayPal shows them: developer.paypal.com/docs/api/customer-disputes/v1. Pure."""

from __future__ import annotations

from typing import Any

from ..disputes import OVER
from ..rows import Document
from .amounts import money
from .shapes import MERCHANT, at

_WAITS = "WAITING_FOR_SELLER_RESPONSE"
# The status and the stage.
_STATUSES = {
    "warning": (_WAITS, "INQUIRY"),
    "needs_response": (_WAITS, "CHARGEBACK"),
    "under_review": ("UNDER_REVIEW", "CHARGEBACK"),
    "closed": ("RESOLVED", "INQUIRY"),
    "accepted": ("RESOLVED", "CHARGEBACK"),
    "won": ("RESOLVED", "CHARGEBACK"),
    "lost": ("RESOLVED", "CHARGEBACK"),
}
_OUTCOMES = {
    "closed": "CANCELED_BY_BUYER",
    "accepted": "ACCEPTED",
    "won": "RESOLVED_SELLER_FAVOUR",
    "lost": "RESOLVED_BUYER_FAVOUR",
}
_REASONS = {"fraudulent": "UNAUTHORISED", "product_not_received": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED"}


def dispute_object(dispute: Document, base_url: str) -> dict[str, Any]:
    """A dispute."""
    body = dispute.body
    word = body["status"]
    status, stage = _STATUSES[word]
    amount = money(body["amount"], body["currency"])
    outcome = {"outcome_code": _OUTCOMES[word], "amount_refunded": amount} if word in OVER else {}
    if word in ("won", "closed"):
        del outcome["amount_refunded"]
    transaction = {
        "seller_transaction_id": body["capture"],
        "transaction_status": "COMPLETED",
        "gross_amount": amount,
        "custom": body["custom_id"],
        "invoice_number": body["reference"],
        "seller": {"merchant_id": MERCHANT, "name": "Emulated shop"},
        "buyer": {"name": "John Doe"},
    }
    return {
        "dispute_id": dispute.id,
        "create_time": at(body["created"]),
        "update_time": at(body["updated"]),
        "disputed_transactions": [transaction],
        "reason": _REASONS.get(body["reason"], "OTHER"),
        "status": status,
        "dispute_amount": amount,
        **({"dispute_outcome": outcome} if outcome else {}),
        "dispute_life_cycle_stage": stage,
        "dispute_channel": "INTERNAL",
        **({"seller_response_due_date": at(body["respond_by"])} if status == _WAITS else {}),
        "links": [{"href": f"{base_url}/v1/customer/disputes/{dispute.id}", "rel": "self", "method": "GET"}],
    }
