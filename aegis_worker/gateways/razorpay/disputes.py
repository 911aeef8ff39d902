"""Disputes as Razorpay shows them: github.com/razorpay/markdown-docs, api/disputes/entity.md. Pure.

A dispute names the payment that it is about, and no order: which order the payment is of, the payment itself says.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeLookup, DisputeReport
from aegis_worker.domain.outcomes import Unknown

from ..kit.flows import HttpAnswer
from ..kit.identity import about_another
from ..kit.reading import Unreadable, identifier, moment_s, parsed
from ..requests import DisputeQuery
from .look_ups import unexpected, unusable
from .objects import money, read_payment

_S = DisputeStatus
# In these phases the bank only asks, and no money is taken.
_WARNINGS = frozenset({"fraud", "retrieval"})
_STATUSES = {
    "open": _S.NEEDS_RESPONSE,
    "under_review": _S.UNDER_REVIEW,
    "won": _S.WON,
    # Also one that was accepted, which Razorpay tells no differently.
    "lost": _S.LOST,
    "closed": _S.CLOSED,
}
_UNDECIDED, _TAKES_EVIDENCE = frozenset({"open", "under_review"}), "open"
# Razorpay documents no list of them: what is missing here is a general reason.
_REASONS = {
    "credit_not_processed": "credit_not_processed",
    "duplicate_processing": "duplicate",
    "fraudulent_transaction": "fraudulent",
    "goods_or_services_not_as_described": "product_unacceptable",
    "goods_or_services_not_received_or_partially_received": "product_not_received",
}


class Disputed(Struct, frozen=True):
    """A dispute, and the payment that it is about."""

    report: DisputeReport
    payment_id: str


def read_dispute(query: DisputeQuery, answer: HttpAnswer) -> Disputed | Unknown:
    """The dispute that was asked about."""
    if answer.status != 200:
        return unusable(answer)
    try:
        body = parsed(answer.body)
        payment_id, report = identifier(body, "payment_id"), _report(body, query.charge_ref)
    except Unreadable as problem:
        return unexpected(problem)
    if report.gateway_ref != query.dispute_ref:
        return about_another(f"it shows {report.gateway_ref}")
    return Disputed(report, payment_id)


def found_dispute(query: DisputeQuery, disputed: Disputed, answer: HttpAnswer) -> DisputeLookup:
    """The dispute, if `answer`, the look-up of its payment, shows that it is of the charge."""
    if answer.status != 200:
        return unusable(answer)
    try:
        payment = read_payment(parsed(answer.body))
    except Unreadable as problem:
        return unexpected(problem)
    if (payment.id, payment.order_id) != (disputed.payment_id, query.charge_ref):
        return about_another(f"it is about {disputed.payment_id}, which is of {payment.order_id}")
    return disputed.report


def _report(body: Mapping[str, Any], charge_ref: str) -> DisputeReport:
    """Raises Unreadable."""
    if body.get("entity") != "dispute":
        raise Unreadable("no dispute")
    word, reason = identifier(body, "status"), identifier(body, "reason_code")
    return DisputeReport(
        gateway_ref=identifier(body, "id"),
        charge_ref=charge_ref,
        amount=money(body),
        status=_status(word, body.get("phase")),
        gateway_status=word,
        reason=_REASONS.get(reason, "general"),
        gateway_reason=reason,
        respond_by=datetime.fromtimestamp(moment_s(body, "respond_by"), UTC)
        if word == _TAKES_EVIDENCE and body.get("respond_by") is not None
        else None,
    )


def _status(word: str, phase: Any) -> DisputeStatus | None:
    if phase in _WARNINGS and word in _UNDECIDED:
        return _S.WARNING
    return _STATUSES.get(word)
