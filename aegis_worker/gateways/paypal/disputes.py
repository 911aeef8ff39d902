"""Disputes as PayPal shows them: developer.paypal.com/docs/api/customer-disputes/v1. Pure.

A dispute names the capture that it is about, and no order: which order the capture is of, the capture itself says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeLookup, DisputeReport
from aegis_worker.domain.outcomes import Unknown

from ..kit.flows import HttpAnswer
from ..kit.identity import about_another
from ..kit.reading import Unreadable, child, children, identifier, parsed
from ..requests import DisputeQuery
from .look_ups import unexpected, unusable
from .objects import account_of, moment, money, read_capture

_S = DisputeStatus
_RESOLVED, _INQUIRY = "RESOLVED", "INQUIRY"
_UNDECIDED = {
    "OPEN": _S.NEEDS_RESPONSE,
    "WAITING_FOR_SELLER_RESPONSE": _S.NEEDS_RESPONSE,
    "WAITING_FOR_BUYER_RESPONSE": _S.UNDER_REVIEW,
    "UNDER_REVIEW": _S.UNDER_REVIEW,
}
_OUTCOMES = {
    "ACCEPTED": _S.ACCEPTED,
    "CANCELED_BY_BUYER": _S.WON,
    "RESOLVED_BUYER_FAVOUR": _S.LOST,
    "RESOLVED_SELLER_FAVOUR": _S.WON,
    # PayPal pays the payer out of its own pocket.
    "RESOLVED_WITH_PAYOUT": _S.WON,
}
_REASONS = {
    "CANCELED_RECURRING_BILLING": "subscription_canceled",
    "CREDIT_NOT_PROCESSED": "credit_not_processed",
    "DUPLICATE_TRANSACTION": "duplicate",
    "MERCHANDISE_OR_SERVICE_NOT_AS_DESCRIBED": "product_unacceptable",
    "MERCHANDISE_OR_SERVICE_NOT_RECEIVED": "product_not_received",
    "PAYMENT_BY_OTHER_MEANS": "duplicate",
    "UNAUTHORISED": "fraudulent",
}


class Disputed(Struct, frozen=True):
    """A dispute, and the capture that it is about."""

    report: DisputeReport
    capture_id: str


def read_dispute(query: DisputeQuery, answer: HttpAnswer, account: str) -> Disputed | Unknown:
    """The dispute that was asked about, if it is of this account. A 404 is no proof: it may be the wrong secret."""
    if answer.status != 200:
        return unusable(answer)
    try:
        body = parsed(answer.body)
        transactions = children(body, "disputed_transactions")
        if len(transactions) != 1:
            raise Unreadable("a dispute of several transactions")
        capture_id = identifier(transactions[0], "seller_transaction_id")
        seller, report = account_of(transactions[0], "seller"), _report(body, query.charge_ref)
    except Unreadable as problem:
        return unexpected(problem)
    if report.gateway_ref != query.dispute_ref or seller not in (None, account):
        return about_another(f"it shows {report.gateway_ref} of the account {seller}")
    return Disputed(report, capture_id)


def found_dispute(query: DisputeQuery, disputed: Disputed, answer: HttpAnswer) -> DisputeLookup:
    """The dispute, if `answer`, the look-up of its capture, shows that it is of the charge."""
    if answer.status != 200:
        return unusable(answer)
    try:
        capture = read_capture(parsed(answer.body))
    except Unreadable as problem:
        return unexpected(problem)
    if (capture.id, capture.order_id) != (disputed.capture_id, query.charge_ref):
        return about_another(f"it is about {disputed.capture_id}, which is of {capture.order_id}")
    return disputed.report


def _report(body: Mapping[str, Any], charge_ref: str) -> DisputeReport:
    """Raises Unreadable."""
    reason = identifier(body, "reason")
    status, word = _status(body)
    return DisputeReport(
        gateway_ref=identifier(body, "dispute_id"),
        charge_ref=charge_ref,
        amount=money(body, "dispute_amount"),
        status=status,
        gateway_status=word,
        reason=_REASONS.get(reason, "general"),
        gateway_reason=reason,
        respond_by=moment(body, "seller_response_due_date") if status in _TAKE_EVIDENCE else None,
    )


_TAKE_EVIDENCE = (_S.NEEDS_RESPONSE, _S.WARNING)


def _status(body: Mapping[str, Any]) -> tuple[DisputeStatus | None, str]:
    """How it stands, and PayPal's word for it. An inquiry is between payer and merchant, and moves no money."""
    word, stage = identifier(body, "status"), body.get("dispute_life_cycle_stage")
    if word != _RESOLVED:
        known = _UNDECIDED.get(word)
        return (_S.WARNING if known is not None and stage == _INQUIRY else known), word
    outcome = (
        identifier(child(body, "dispute_outcome"), "outcome_code") if body.get("dispute_outcome") else word
    )
    if outcome == "CANCELED_BY_BUYER" and stage == _INQUIRY:
        return _S.CLOSED, outcome
    return _OUTCOMES.get(outcome), outcome
