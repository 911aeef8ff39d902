"""PaymentIntents, charges, refunds and payment methods as Stripe shows them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..disputes import WITHDRAWN
from ..network_ids import network_id_of
from ..payments import Payment, Status
from ..rows import Document
from .errors import decline

_STATUS = {
    Status.UNBORN: "requires_confirmation",
    Status.CREATED: "requires_confirmation",
    Status.REQUIRES_ACTION: "requires_action",
    Status.AUTHENTICATED: "requires_confirmation",
    Status.PENDING: "processing",
    Status.AUTHORIZED: "requires_capture",
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "requires_payment_method",
    Status.VOIDED: "canceled",
}
_CHARGE_STATUS = {Status.PENDING: "pending", Status.FAILED: "failed"}


@dataclass(frozen=True, slots=True)
class Place:
    """Whose objects these are and where the payer's pages are."""

    base_url: str
    livemode: bool


@dataclass(frozen=True, slots=True)
class Intent:
    """A payment of the ledger with what Stripe shows beside it (`about`, a document's body)."""

    payment: Payment
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def charge_id(self) -> str | None:
        """Of the newest charge; None before there is one."""
        was_charged = self.payment.authorized or self.payment.status in _CHARGE_STATUS
        if not was_charged or self.payment.error_code == "authentication_failed":
            return None
        return f"ch_{self.payment.id.removeprefix('pi_')}"


def intent_object(intent: Intent, place: Place, *, expanded: bool = False) -> dict[str, Any]:
    """A PaymentIntent, with its newest charge itself where that was `expanded`."""
    payment, about = intent.payment, intent.about
    held = payment.authorized - payment.captured
    status = _STATUS[payment.status]
    if status == "requires_confirmation" and not about["payment_method"]:
        status = "requires_payment_method"
    return {
        "id": payment.id,
        "object": "payment_intent",
        "amount": payment.amount,
        "amount_capturable": held if payment.status is Status.AUTHORIZED else 0,
        "amount_details": {"tip": {}},
        "amount_received": payment.captured,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": about["canceled_at"],
        "cancellation_reason": about["cancellation_reason"],
        "capture_method": payment.capture_method,
        "client_secret": about["client_secret"],
        "confirmation_method": "automatic",
        "created": int(payment.created_at),
        "currency": payment.currency.lower(),
        "customer": about["customer"],
        "description": about["description"],
        "last_payment_error": decline(payment.error_code, intent.charge_id) if payment.error_code else None,
        "latest_charge": charge_object(intent, place) if expanded and intent.charge_id else intent.charge_id,
        "livemode": place.livemode,
        "metadata": about["metadata"],
        "next_action": _next_action(intent, place),
        "on_behalf_of": None,
        "payment_method": None if payment.status is Status.FAILED else about["payment_method"],
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "processing": {"type": "card"} if status == "processing" else None,
        "receipt_email": about["receipt_email"],
        "review": None,
        "setup_future_usage": about["setup_future_usage"],
        "shipping": about["shipping"],
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": about["statement_descriptor_suffix"],
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }


def charge_object(intent: Intent, place: Place) -> dict[str, Any]:
    """The intent's newest charge."""
    payment, about = intent.payment, intent.about
    was_voided = payment.status is Status.VOIDED
    refunded = payment.authorized if was_voided else payment.refunded
    said = decline(payment.error_code, None) if payment.error_code else {}
    return {
        "id": intent.charge_id,
        "object": "charge",
        "amount": payment.amount,
        "amount_captured": payment.captured,
        "amount_refunded": refunded,
        "balance_transaction": None,
        "captured": payment.captured > 0,
        "created": int(payment.created_at),
        "currency": payment.currency.lower(),
        "customer": about["customer"],
        "description": about["description"],
        "disputed": about.get("disputed", False),
        "failure_code": said.get("code"),
        "failure_message": said.get("message"),
        "livemode": place.livemode,
        "metadata": about["metadata"],
        "paid": bool(payment.authorized),
        "payment_intent": payment.id,
        "payment_method": about["payment_method"],
        "payment_method_details": {"type": "card", "card": _card(payment)},
        "refunded": refunded > 0 and refunded == (payment.captured or payment.authorized),
        "status": _CHARGE_STATUS.get(payment.status, "succeeded"),
    }


def _card(payment: Payment) -> dict[str, Any]:
    network_id = network_id_of(payment.id) if payment.authorized else None
    return {"capture_before": payment.held_until, "network_transaction_id": network_id}


def refund_object(refund: Document) -> dict[str, Any]:
    """A refund."""
    body = refund.body
    return {
        "id": refund.id,
        "object": "refund",
        "amount": body["amount"],
        "balance_transaction": None,
        "charge": f"ch_{str(refund.payment_id).removeprefix('pi_')}",
        "created": body["created"],
        "currency": body["currency"],
        "metadata": body["metadata"],
        "payment_intent": refund.payment_id,
        "reason": body["reason"],
        "receipt_number": None,
        "status": body["status"],
        **({"failure_reason": body["failure_reason"]} if body.get("failure_reason") else {}),
    }


_DISPUTE_STATUS = {"warning": "warning_needs_response", "closed": "warning_closed", "accepted": "prevented"}


def dispute_object(dispute: Document, place: Place) -> dict[str, Any]:
    """A dispute, with no evidence."""
    body = dispute.body
    word = body["status"]
    return {
        "id": dispute.id,
        "object": "dispute",
        "amount": body["amount"],
        "balance_transactions": [],
        "charge": f"ch_{str(dispute.payment_id).removeprefix('pi_')}",
        "created": body["created"],
        "currency": body["currency"].lower(),
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": body["respond_by"],
            "enhanced_eligibility": {},
            "has_evidence": word == "under_review",
            "past_due": False,
            "submission_count": int(word == "under_review"),
        },
        "is_charge_refundable": word not in WITHDRAWN,
        "livemode": place.livemode,
        "metadata": {},
        "payment_intent": dispute.payment_id,
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if word in ("warning", "closed") else "chargeback",
            },
            "type": "card",
        },
        "reason": body["reason"],
        "status": _DISPUTE_STATUS.get(word, word),
    }


def method_object(
    method_id: str, brand: str, last4: str, customer: str | None, place: Place
) -> dict[str, Any]:
    """A payment method of type card."""
    return {
        "id": method_id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "card": {"brand": brand, "country": "US", "exp_month": 12, "exp_year": 2040, "last4": last4},
        "customer": customer,
        "livemode": place.livemode,
        "metadata": {},
        "type": "card",
    }


def list_object(url: str, objects: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """One page of a list."""
    return {"object": "list", "url": url, "data": objects, "has_more": has_more}


def _next_action(intent: Intent, place: Place) -> dict[str, Any] | None:
    """By redirect where a return URL is known, or else for the SDK in the payer's browser."""
    payment = intent.payment
    if payment.status is not Status.REQUIRES_ACTION:
        return None
    page = f"{place.base_url}/3ds/{payment.id}"
    if intent.about["return_url"] and not intent.about["use_stripe_sdk"]:
        return {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": page, "return_url": intent.about["return_url"]},
        }
    source = f"src_{payment.id.removeprefix('pi_')}"
    sdk = {"type": "three_d_secure_redirect", "stripe_js": page, "source": source}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
