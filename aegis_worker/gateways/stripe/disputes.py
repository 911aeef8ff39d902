"""Disputes as Stripe shows them. Pure.

Source: docs.stripe.com/api/disputes/object, docs.stripe.com/disputes/categories.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aegis_worker.domain.currencies import EXPONENTS
from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeLookup, DisputeReport
from aegis_worker.domain.modes import Mode
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Unknown, UnknownKind

from ..kit.flows import HttpAnswer, HttpCall
from ..kit.identity import about_another
from ..kit.reading import Unreadable, child, identifier, minor_units, moment_s, parsed
from ..requests import DisputeQuery
from .amounts import AMOUNTS
from .objects import read_mode

DISPUTE_STATUSES = {
    "warning_needs_response": DisputeStatus.WARNING,
    "warning_under_review": DisputeStatus.WARNING,
    "warning_closed": DisputeStatus.CLOSED,
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    # Against a decision for the payer.
    "appeal_needs_response": DisputeStatus.NEEDS_RESPONSE,
    "appeal_under_review": DisputeStatus.UNDER_REVIEW,
    # A service of the card networks gave the money back before a dispute was filed.
    "prevented": DisputeStatus.ACCEPTED,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}
_REASONS = {
    "bank_cannot_process": "authorization",
    "check_returned": "authorization",
    "credit_not_processed": "credit_not_processed",
    "debit_not_authorized": "authorization",
    "duplicate": "duplicate",
    "fraudulent": "fraudulent",
    "incorrect_account_details": "authorization",
    "insufficient_funds": "authorization",
    "product_not_received": "product_not_received",
    "product_unacceptable": "product_unacceptable",
    "subscription_canceled": "subscription_canceled",
    "unrecognized": "unrecognized",
}
# In these, Stripe takes evidence until `due_by`.
_TAKE_EVIDENCE = ("needs_response", "warning_needs_response", "appeal_needs_response")


def look_up_dispute(query: DisputeQuery, headers: Mapping[str, str]) -> HttpCall:
    """The call that shows one dispute."""
    return HttpCall("GET", f"/v1/disputes/{quote(query.dispute_ref, safe='')}", headers, only_reads=True)


def found_dispute(query: DisputeQuery, answer: HttpAnswer, mode: Mode) -> DisputeLookup:
    """The dispute that was asked about. A 404 is no proof: it may be the wrong account's key."""
    if answer.status != 200:
        return Unknown(f"look-up answered HTTP {answer.status}", kind=UnknownKind.of_status(answer.status))
    try:
        body = parsed(answer.body)
        shown, theirs = _read(body), read_mode(body)
    except Unreadable as problem:
        return Unknown(f"look-up with an unexpected body: {problem}", kind=UnknownKind.UNREADABLE)
    if (shown.gateway_ref, shown.charge_ref, theirs) != (query.dispute_ref, query.charge_ref, mode):
        return about_another(f"it shows {shown.gateway_ref} of {shown.charge_ref}, which is {theirs}")
    return shown


def _read(body: Mapping[str, Any]) -> DisputeReport:
    """Raises Unreadable."""
    if body.get("object") != "dispute":
        raise Unreadable("no dispute")
    code = str(body.get("currency")).upper()
    if code not in EXPONENTS:
        raise Unreadable("currency is no currency")
    word, reason = identifier(body, "status"), identifier(body, "reason")
    return DisputeReport(
        gateway_ref=identifier(body, "id"),
        charge_ref=identifier(body, "payment_intent"),
        amount=Money(AMOUNTS.read(minor_units(body, "amount"), code), code),
        status=DISPUTE_STATUSES.get(word),
        gateway_status=word,
        reason=_REASONS.get(reason, "general"),
        gateway_reason=reason,
        respond_by=_respond_by(word, child(body, "evidence_details")),
    )


def _respond_by(word: str, details: Mapping[str, Any]) -> datetime | None:
    if word not in _TAKE_EVIDENCE or details.get("due_by") is None:
        return None
    return datetime.fromtimestamp(moment_s(details, "due_by"), UTC)
