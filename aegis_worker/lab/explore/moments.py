"""Time passes for plain values: every moment is kept relative to now, so all of them become smaller. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.changes import Change
from aegis_worker.domain.moments import rfc3339
from aegis_worker.domain.payment import Payment

from .rows import AttemptRow, JobRow, Rows
from .rows_orders import shifted

# What is further back than this is as far back: no threshold of the product is longer.
HORIZON_S = 40 * 86_400.0


def rows_later(rows: Rows, by_s: float) -> Rows:
    """The tables as they are `by_s` seconds later, seen from then."""
    if not by_s:
        return rows
    return replace(
        rows,
        payment=payment_later(rows.payment, by_s),
        job=None if rows.job is None else _job_later(rows.job, by_s, is_routed=bool(rows.attempts)),
        attempts=tuple(_row_later(row, by_s) for row in rows.attempts),
        entities=shifted(rows.entities, by_s),
        hold_due_at=None if rows.hold_due_at is None else max(rows.hold_due_at - by_s, 0.0),
        declines=tuple((one, max(at - by_s, -HORIZON_S)) for one, at in rows.declines),
    )


def change_later(change: Change, by_s: float) -> Change:
    """A change that was decided by a clock which read `by_s` when the tables' reads 0."""
    payment = payment_later(change.payment, by_s)
    events = tuple(replace(event, data=_data_later(event.data, by_s)) for event in change.events)
    return replace(change, payment=payment, events=events)


def _data_later(data: Mapping[str, Any], by_s: float) -> Mapping[str, Any]:
    action = data.get("next_action")
    if action and "expires_at" in action:
        data = {**data, "next_action": {**action, "expires_at": _earlier(action["expires_at"], by_s)}}
    if data.get("capture_before"):
        data = {**data, "capture_before": _earlier(data["capture_before"], by_s)}
    return data


def payment_later(payment: Payment, by_s: float) -> Payment:
    """The payment, whose moments are times of day that are moved instead of the day."""
    if not by_s or (payment.next_action is None and payment.capture_before is None):
        return payment
    action = payment.next_action
    if action is not None and "expires_at" in action:
        action = {**action, "expires_at": _earlier(action["expires_at"], by_s)}
    ends_at = payment.capture_before
    return replace(
        payment, next_action=action, capture_before=None if ends_at is None else _earlier(ends_at, by_s)
    )


def _earlier(moment: str, by_s: float) -> str:
    return rfc3339((datetime.fromisoformat(moment) - timedelta(seconds=by_s)).astimezone(UTC))


def _job_later(job: JobRow, by_s: float, *, is_routed: bool) -> JobRow:
    return replace(
        job,
        # A job that is due is due, for however long.
        run_at=max(job.run_at - by_s, 0.0),
        lease_until=max(job.lease_until - by_s, -1.0) if job.status == "running" else 0.0,
        # How long a payment waits for a gateway counts from its last answer, once there is one; a sync counts its own age.
        made_at=0.0 if is_routed and job.operation != "sync" else max(job.made_at - by_s, -HORIZON_S),
    )


def _row_later(row: AttemptRow, by_s: float) -> AttemptRow:
    recheck_at = None if row.recheck_at is None else max(row.recheck_at - by_s, 0.0)
    return replace(row, attempt=_attempt_later(row.attempt, by_s), recheck_at=recheck_at)


def _attempt_later(attempt: Attempt, by_s: float) -> Attempt:
    return replace(
        attempt,
        sent_at_s=max(attempt.sent_at_s - by_s, -HORIZON_S),
        first_not_found_at_s=_past(attempt.first_not_found_at_s, by_s),
        answered_at_s=_past(attempt.answered_at_s, by_s),
    )


def _past(moment: float | None, by_s: float) -> float | None:
    return None if moment is None else max(moment - by_s, -HORIZON_S)
