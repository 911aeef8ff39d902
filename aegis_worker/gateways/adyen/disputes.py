"""Disputes, by what Adyen has told of them. Pure.

Source: docs.adyen.com/risk-management/disputes-api/dispute-notifications. Of a notification the reason and the end of the
defence are not signed, so they are not taken for known.
"""

from __future__ import annotations

from collections.abc import Sequence

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import DisputeLookup, DisputeReport
from aegis_worker.domain.gateway_events import Told
from aegis_worker.domain.outcomes import Unknown, UnknownKind

from ..requests import DisputeQuery
from .items import items_of

_S = DisputeStatus
# By event, in the order in which a dispute goes: the furthest that was told counts, because they come in any order.
DISPUTE_STATUSES = {
    "REQUEST_FOR_INFORMATION": _S.WARNING,
    "NOTIFICATION_OF_CHARGEBACK": _S.NEEDS_RESPONSE,
    "CHARGEBACK": _S.NEEDS_RESPONSE,
    "INFORMATION_SUPPLIED": _S.UNDER_REVIEW,
    "CHARGEBACK_REVERSED": _S.UNDER_REVIEW,
    "DISPUTE_DEFENSE_PERIOD_ENDED": _S.ACCEPTED,
    "PREARBITRATION_OPEN": _S.UNDER_REVIEW,
    "SCHEME_ARBITRATION": _S.UNDER_REVIEW,
    "SECOND_CHARGEBACK": _S.LOST,
    "PREARBITRATION_LOST": _S.LOST,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": _S.WON,
    "PREARBITRATION_WON": _S.WON,
    "SCHEME_ARBITRATION_LOST": _S.LOST,
    "SCHEME_ARBITRATION_WON": _S.WON,
}
_IN_TURN = list(DISPUTE_STATUSES)
_OPENS = frozenset({"REQUEST_FOR_INFORMATION", "NOTIFICATION_OF_CHARGEBACK"})
_ENDS = frozenset({_S.ACCEPTED, _S.WON, _S.LOST})


def kind_of(code: str) -> str | None:
    """What an event of a dispute is called here; None for an event of something else."""
    if code not in DISPUTE_STATUSES:
        return None
    if code in _OPENS:
        return "dispute.opened"
    return "dispute.closed" if DISPUTE_STATUSES[code] in _ENDS else "dispute.updated"


def found_dispute(query: DisputeQuery, told: Sequence[Told]) -> DisputeLookup:
    """The dispute that was asked about, as far as it was told of."""
    items = [item for item in items_of(told) if item.code in DISPUTE_STATUSES and item.success]
    # One that names no payment, as some of Adyen's examples, has its own reference in the place of the payment's.
    ours = [
        item
        for item in items
        if item.psp == query.dispute_ref and item.payment_ref in (query.charge_ref, item.psp)
    ]
    if all(item.payment_ref == item.psp for item in ours):
        reason = "Adyen can't be asked, and has told nothing of this dispute of this charge"
        return Unknown(reason, kind=UnknownKind.NO_LOOK_UP)
    furthest = max(ours, key=lambda item: _IN_TURN.index(item.code))
    return DisputeReport(
        gateway_ref=furthest.psp,
        charge_ref=query.charge_ref,
        amount=furthest.amount,
        status=DISPUTE_STATUSES[furthest.code],
        gateway_status=furthest.code,
    )
