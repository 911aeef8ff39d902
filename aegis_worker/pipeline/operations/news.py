"""What a look-up of the payment's own charge brings to light of what was done with it since. Pure."""

from __future__ import annotations

from datetime import datetime

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.gateway_keys import is_ordered
from aegis_worker.domain.movements import News, news_of
from aegis_worker.domain.outcomes import Approved, Declined
from aegis_worker.ids import PREFIX_OF, derived_id

from ..work import Work


def news(work: Work, own: int | None) -> News:
    """What is new. `own`: the position of the charge that the payment stands on, where it was asked about."""
    found = None if own is None else work.said[own]
    if not isinstance(found, Approved | Declined):
        return News()

    at_ms = int((work.job.claimed_at_s + work.job.since_1970_s) * 1000)

    def new_id(kind: EntityKind, name: str) -> str:
        return derived_id(PREFIX_OF[kind], at_ms, work.payment.id, kind, name)

    ends_at = work.payment.capture_before
    expired = ends_at is not None and work.time_of_day_s >= datetime.fromisoformat(ends_at).timestamp()
    return news_of(work.payment, work.job.entities, found, new_id, expired=expired)


def may_be_late_s(work: Work, asked_at_s: float) -> float:
    """For how long the gateway may not show what was last ordered of its charge; 0 where it should have when asked."""
    ordered = [attempt for attempt in work.attempts if is_ordered(attempt.number)]
    windows = (
        work.route.capabilities[attempt.gateway].absence_window_s - attempt.sent_ago_s(asked_at_s)
        for attempt in ordered
        if attempt.gateway in work.route.capabilities
    )
    return max(windows, default=0.0)
