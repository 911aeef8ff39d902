"""Disputes as Braintree shows them: developer.paypal.com/braintree/docs/reference/response/dispute. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeLookup, DisputeReport

from ..kit.flows import HttpAnswer
from ..kit.identity import about_another
from ..kit.reading import Unreadable, child, identifier
from ..kit.xml import parsed_xml
from ..requests import DisputeQuery
from .look_ups import unexpected, unusable
from .objects import Holder, id_if_any, moment, money

_S = DisputeStatus
_RETRIEVAL, _OPEN = "retrieval", "open"
_STATUSES = {
    _OPEN: _S.NEEDS_RESPONSE,
    "disputed": _S.UNDER_REVIEW,
    "under_review": _S.UNDER_REVIEW,
    # Nothing was said in time; the payer's bank decides without us.
    "expired": _S.UNDER_REVIEW,
    "accepted": _S.ACCEPTED,
    "auto_accepted": _S.ACCEPTED,
    "won": _S.WON,
    "lost": _S.LOST,
}
# A retrieval only asks for papers, and moves no money, however it ends.
_OF_RETRIEVALS = {
    **dict.fromkeys(_STATUSES, _S.CLOSED),
    **dict.fromkeys((_OPEN, "disputed", "under_review"), _S.WARNING),
}
_REASONS = {
    "cancelled_recurring_transaction": "subscription_canceled",
    "credit_not_processed": "credit_not_processed",
    "duplicate": "duplicate",
    "fraud": "fraudulent",
    "invalid_account": "authorization",
    "not_recognized": "unrecognized",
    "product_not_received": "product_not_received",
    "product_unsatisfactory": "product_unacceptable",
}


def found_dispute(query: DisputeQuery, answer: HttpAnswer, holder: Holder) -> DisputeLookup:
    """The dispute that was asked about. A 404 is no proof: it may be the wrong merchant's key."""
    if answer.status != 200:
        return unusable(answer)
    try:
        body = child(parsed_xml(answer.body), "dispute")
        report, account = _report(body), account_of(body, holder)
    except Unreadable as problem:
        return unexpected(problem)
    if (report.gateway_ref, report.charge_ref) != (query.dispute_ref, query.charge_ref):
        return about_another(f"it shows {report.gateway_ref} of {report.charge_ref}")
    if account not in (None, holder.merchant_id):
        return about_another(f"it is of the account {account}, ours is {holder.merchant_id}")
    return report


def account_of(body: Mapping[str, Any], holder: Holder) -> str | None:
    """Whose dispute it is, by `Holder`. Raises Unreadable."""
    return holder.of(id_if_any(body, "merchant-account-id"), id_if_any(body, "currency-iso-code") or "")


def _report(body: Mapping[str, Any]) -> DisputeReport:
    """Raises Unreadable."""
    word, reason = identifier(body, "status"), identifier(body, "reason")
    table = _OF_RETRIEVALS if body.get("kind") == _RETRIEVAL else _STATUSES
    name = "amount-disputed" if body.get("amount-disputed") else "amount"
    return DisputeReport(
        gateway_ref=identifier(body, "id"),
        charge_ref=identifier(child(body, "transaction"), "id"),
        amount=money(body, name, "currency-iso-code"),
        status=table.get(word),
        gateway_status=word,
        reason=_REASONS.get(reason, "general"),
        gateway_reason=reason,
        respond_by=moment(body, "reply-by-date") if word == _OPEN else None,
    )
