"""Things that should have moved by themselves and have not, each with why and what to do. Every look is bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Thresholds:
    """After how many seconds something is overdue. `dead_within_s`: how far back dead deliveries are looked for."""

    due_after_s: int = 300
    lease_after_s: int = 60
    doubt_after_s: int = 3600
    outbox_after_s: int = 300
    dead_within_s: int = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Stuck:
    """One thing that does not move. `kind` says what `id` belongs to: a job, a payment, an event (of a hook's delivery its
    event's), a delivery, or what a gateway told by itself.
    """

    kind: str
    id: str
    payment_id: str
    merchant_id: str
    since: datetime
    overdue_s: float
    why: str
    what_to_do: str


@dataclass(frozen=True, slots=True)
class StuckReport:
    """What is stuck as of one moment. `more` names the kinds of which more is stuck than is listed."""

    as_of: datetime
    found: Sequence[Stuck]
    more: Sequence[str]


# One look: rows of (id, payment_id, merchant_id, since, detail), the oldest first, at most `limit` of them.
_JOBS_DUE = """
SELECT id, payment_id, merchant_id, run_at AS since, concat(queue, ': ', reason) AS detail FROM jobs
WHERE finished_at IS NULL AND NOT in_review AND status IN ('queued', 'waiting')
    AND run_at < statement_timestamp() - make_interval(secs => %(due_after_s)s)
ORDER BY run_at LIMIT %(limit)s
"""
_JOBS_LEASED = """
SELECT id, payment_id, merchant_id, lease_until AS since, claimed_by AS detail FROM jobs
WHERE finished_at IS NULL AND NOT in_review AND status = 'running'
    AND lease_until < statement_timestamp() - make_interval(secs => %(lease_after_s)s)
ORDER BY lease_until LIMIT %(limit)s
"""
# Leaves out jobs that wait for a person, because the list of reviews has those.
_IN_DOUBT = """
SELECT p.id, p.id AS payment_id, p.merchant_id, e.at AS since, e.data ->> 'gateway' AS detail
FROM payments p CROSS JOIN LATERAL (
    SELECT at, data FROM payment_events
    WHERE payment_id = p.id AND type = 'PAYMENT_IN_DOUBT' ORDER BY seq DESC LIMIT 1
) e
WHERE p.unfinished AND p.certainty = 'unknown' AND p.frozen_at IS NULL
    AND e.at < statement_timestamp() - make_interval(secs => %(doubt_after_s)s)
    AND NOT EXISTS (SELECT FROM jobs j WHERE j.payment_id = p.id AND j.in_review)
ORDER BY p.id LIMIT %(limit)s
"""
_OUTBOX = """
SELECT concat('evt_', substr(payment_id, 5), '_', seq) AS id, payment_id, merchant_id, created_at AS since,
    last_error AS detail
FROM outbox WHERE created_at < statement_timestamp() - make_interval(secs => %(outbox_after_s)s)
ORDER BY payment_id, seq LIMIT %(limit)s
"""
_DEAD = """
SELECT id, payment_id, merchant_id, created_at AS since, log -> -1 ->> 'error' AS detail FROM webhook_deliveries
WHERE status = 'dead' AND created_at > statement_timestamp() - make_interval(secs => %(dead_within_s)s)
ORDER BY id LIMIT %(limit)s
"""
# A hook's own deliveries, which have no id: the event's, and the hook in `detail`.
_DEAD_FOR_HOOKS = """
SELECT concat('evt_', substr(d.payment_id, 5), '_', d.seq) AS id, d.payment_id, p.merchant_id, d.created_at AS since,
    concat(d.hook, ': ', d.last_error) AS detail
FROM (
    SELECT hook, payment_id, seq, created_at, last_error FROM hook_deliveries
    WHERE status = 'dead' AND created_at > statement_timestamp() - make_interval(secs => %(dead_within_s)s)
    ORDER BY created_at LIMIT %(limit)s
) d JOIN payments p ON p.id = d.payment_id
ORDER BY d.created_at
"""

# Of payments of ours alone: what matches none may be of another system that shares the account.
_UNHEARD_EVENTS = """
SELECT e.provider_event_id AS id, e.payment_id, p.merchant_id, e.received_at AS since,
    concat_ws(': ', e.gateway, e.kind, e.reason) AS detail
FROM (
    SELECT provider_event_id, gateway, kind, reason, payment_id, received_at FROM gateway_events
    WHERE status = 'unmatched' AND payment_id IS NOT NULL ORDER BY received_at LIMIT %(limit)s
) e JOIN payments p ON p.id = e.payment_id
ORDER BY e.received_at
"""

# By kind: the statement that looks for it, why such a thing is stuck, and what to do about it.
_LOOKS: dict[str, tuple[str, str, str]] = {
    "job_not_claimed": (
        _JOBS_DUE,
        "due, and no worker has taken it up",
        "see that workers and beat run (`aegis doctor`); without Redis, start `aegis relay`",
    ),
    "lease_expired": (
        _JOBS_LEASED,
        "its worker is gone, and no other has taken it over",
        "see that workers run (`aegis doctor`); the next one to look asks the gateway before anything is sent",
    ),
    "in_doubt": (
        _IN_DOUBT,
        "whether it was charged is not known yet; the gateway is being asked",
        "`aegis explain ID` says when it is asked next; `aegis reconcile` asks now; look at the gateway's status page",
    ),
    "outbox_old": (
        _OUTBOX,
        "the event is not delivered to all sinks yet",
        "`aegis outbox status` says which sink is behind; `aegis doctor` whether Redis answers",
    ),
    "delivery_dead": (
        _DEAD,
        "the endpoint did not take the event however often it was tried",
        "have the merchant repair the endpoint, then `aegis outbox redeliver EVENT`",
    ),
    "hook_delivery_dead": (
        _DEAD_FOR_HOOKS,
        "the hook did not take the event however often it was told",
        "repair the hook, then `aegis outbox hooks --again HOOK`, for this event alone with `--event EVENT`",
    ),
    "gateway_event_unanswered": (
        _UNHEARD_EVENTS,
        "a gateway told of the payment, and for a day did not answer what became of it",
        "see that the gateway answers (`aegis doctor`), then `aegis gateway-events retry EVENT`",
    ),
}
KINDS = tuple(_LOOKS)


def list_stuck(connection: Connection, thresholds: Thresholds, *, limit: int) -> StuckReport:
    """What is overdue, kind by kind, at most `limit` of each; of any merchant."""
    as_of = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    names = {
        "due_after_s": thresholds.due_after_s,
        "lease_after_s": thresholds.lease_after_s,
        "doubt_after_s": thresholds.doubt_after_s,
        "outbox_after_s": thresholds.outbox_after_s,
        "dead_within_s": thresholds.dead_within_s,
        "limit": limit + 1,
    }
    found: list[Stuck] = []
    more: list[str] = []
    for kind, (look, _, _) in _LOOKS.items():
        rows = connection.exec_driver_sql(look, names).mappings().all()
        found += [_stuck(kind, row, as_of) for row in rows[:limit]]
        if len(rows) > limit:
            more.append(kind)
    return StuckReport(as_of, found, more)


def _stuck(kind: str, row: Mapping[Any, Any], as_of: datetime) -> Stuck:
    _, why, what_to_do = _LOOKS[kind]
    detail = (row["detail"] or "").strip(": ")
    return Stuck(
        kind=kind,
        id=row["id"],
        payment_id=row["payment_id"],
        merchant_id=row["merchant_id"],
        since=row["since"],
        overdue_s=max(0.0, (as_of - row["since"]).total_seconds()),
        why=f"{why} ({detail})" if detail else why,
        what_to_do=what_to_do,
    )
