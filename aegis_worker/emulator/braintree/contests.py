"""Disputes as Braintree shows them: developer.paypal.com/braintree/docs/reference/response/dispute. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..rows import Document
from .amounts import decimal
from .shapes import global_id
from .xml import Day, Many, Moment

OPEN = frozenset({"warning", "needs_response"})
_STATUSES = {
    "warning": "open",
    "needs_response": "open",
    "under_review": "under_review",
    "closed": "expired",
    "accepted": "auto_accepted",
    "won": "won",
    "lost": "lost",
}
# What the merchant has done about it has words of its own.
_BY_MERCHANT = {"under_review": "disputed", "accepted": "accepted"}
_REASONS = {"fraudulent": "fraud", "product_not_received": "product_not_received"}


def status_of(body: Mapping[str, Any]) -> str:
    """Braintree's word for where a dispute stands."""
    words = _STATUSES | (_BY_MERCHANT if body.get("by_merchant") else {})
    return words[body["status"]]


def dispute_object(dispute: Document) -> dict[str, Any]:
    """A dispute."""
    body = dispute.body
    amount, status = decimal(body["amount"], body["currency"]), status_of(body)
    is_retrieval = body["status"] in ("warning", "closed") or body.get("is_retrieval", False)
    return {
        "id": dispute.id,
        "global_id": global_id("dispute", dispute.id),
        "amount": amount,
        "amount_disputed": amount,
        "amount_won": amount if status == "won" else "0.00",
        "case_number": f"CASE-{dispute.id.upper()}",
        "created_at": Moment(body["created"]),
        "currency_iso_code": body["currency"],
        "date_opened": Day(body["created"]),
        "date_won": Day(body["updated"]) if status == "won" else None,
        "evidence": Many("evidence", [evidence_object(one) for one in body["evidence"]]),
        "kind": "retrieval" if is_retrieval else "chargeback",
        "merchant_account_id": body["account"],
        "original_dispute_id": None,
        "processor_comments": None,
        "reason": _REASONS.get(body["reason"], "general"),
        "reason_code": "83",
        "reason_description": None,
        "received_date": Day(body["created"]),
        "reference_number": None,
        "reply_by_date": Day(body["respond_by"]),
        "status": status,
        "status_history": Many("status_history", _history(body)),
        "transaction": {
            "id": body["transaction"],
            "global_id": global_id("transaction", body["transaction"]),
            "amount": decimal(body["transaction_amount"], body["currency"]),
            "created_at": Moment(body["created"]),
            "installment_count": None,
            "order_id": body["order_id"] or None,
            "payment_instrument_subtype": "Visa",
            "purchase_order_number": None,
        },
        "updated_at": Moment(body["updated"]),
    }


def evidence_object(one: Mapping[str, Any]) -> dict[str, Any]:
    """A piece of evidence, as a document holds it."""
    return {
        "id": one["id"],
        "global_id": global_id("disputeevidence", one["id"]),
        "category": one["category"] or None,
        "comment": one["comment"],
        "created_at": Moment(one["created"]),
        "sent_to_processor_at": None,
        "sequence_number": None,
        "tag": None,
        "url": None,
    }


def _history(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    opened: dict[str, Any] = {"status": "open", "at": body["created"]}
    now: dict[str, Any] = {"status": status_of(body), "at": body["updated"]}
    entries = [opened] if now["status"] == "open" else [opened, now]
    return [
        {
            "status": one["status"],
            "timestamp": Moment(one["at"]),
            "effective_date": Day(one["at"]),
            "disbursement_date": None,
        }
        for one in entries
    ]
