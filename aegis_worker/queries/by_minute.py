"""How payments ended and how gateways answered, minute by minute.

A payment's id begins with its time, and its attempts are stored under its id, so a period is a range of a primary key.
At most `MOST_READ` rows are read: where there were more, the period is shorter than was asked for, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from aegis_worker.ids import PAYMENT, first_id_at

MOST_READ = 50_000
_MOST_STEPS = 180

_PAYMENTS = """
SELECT floor(extract(epoch FROM created_at) / %(step_s)s)::bigint * %(step_s)s AS at,
    count(*) FILTER (WHERE state IN ('SUCCESS', 'AUTHORIZED')) AS charged,
    count(*) FILTER (WHERE state IN ('FAILURE', 'CANCELLED')) AS not_charged,
    count(*) FILTER (WHERE certainty = 'unknown') AS in_doubt,
    count(*) FILTER (WHERE certainty = 'known' AND state NOT IN ('SUCCESS', 'AUTHORIZED', 'FAILURE', 'CANCELLED')) AS open
FROM (
    SELECT created_at, state, certainty FROM payments WHERE id >= %(first)s ORDER BY id DESC LIMIT %(most)s
) p GROUP BY 1 ORDER BY 1
"""
_GATEWAYS = """
SELECT gateway, floor(extract(epoch FROM sent_at) / %(step_s)s)::bigint * %(step_s)s AS at, count(*) AS calls,
    count(*) FILTER (WHERE status = 'APPROVED') AS approved, count(*) FILTER (WHERE status = 'DECLINED') AS declined,
    count(*) FILTER (WHERE status = 'UNKNOWN') AS in_doubt, count(*) FILTER (WHERE status = 'NOT_SENT') AS not_sent,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms) AS p95_ms
FROM (
    SELECT gateway, sent_at, status, latency_ms FROM attempts WHERE payment_id >= %(first)s
    ORDER BY payment_id DESC LIMIT %(most)s
) a WHERE sent_at >= %(since)s
GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, in steps of `step_s` seconds. `complete`: False where there was more than is counted, so that it
    begins later than was asked for.
    """

    since: datetime
    until: datetime
    step_s: int
    complete: bool = True

    @property
    def steps(self) -> range:
        """When each step begins, in seconds since 1970."""
        first = int(self.since.timestamp()) // self.step_s * self.step_s
        return range(first, int(self.until.timestamp()) + 1, self.step_s)


@dataclass(frozen=True, slots=True)
class PaymentsThen:
    """Payments accepted in the step that begins at `at` (seconds since 1970), by how they stand now."""

    at: int
    charged: int = 0
    not_charged: int = 0
    in_doubt: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True)
class CallsThen:
    """Calls to one gateway sent in the step that begins at `at`, by how they stand now. `p95_ms`: of those answered."""

    gateway: str
    at: int
    calls: int
    approved: int
    declined: int
    in_doubt: int
    not_sent: int
    p95_ms: float | None


def payments_by_minute(connection: Connection, *, minutes: int) -> tuple[Span, Sequence[PaymentsThen]]:
    """Payments of all merchants over the last `minutes`, each step of the span once, also where there were none."""
    span, names = _asked_for(minutes)
    rows = [PaymentsThen(*row) for row in connection.exec_driver_sql(_PAYMENTS, names)]
    counted = sum(row.charged + row.not_charged + row.in_doubt + row.open for row in rows)
    span = _shortened(span, counted, [row.at for row in rows])
    by_step = {row.at: row for row in rows}
    return span, [by_step.get(at) or PaymentsThen(at) for at in span.steps]


def gateways_by_minute(connection: Connection, *, minutes: int) -> tuple[Span, Sequence[CallsThen]]:
    """Calls to all gateways over the last `minutes`, of payments that were accepted in that time; steps without calls are
    left out.
    """
    span, names = _asked_for(minutes)
    rows = [CallsThen(*row) for row in connection.exec_driver_sql(_GATEWAYS, {**names, "since": span.since})]
    return _shortened(span, sum(row.calls for row in rows), [row.at for row in rows]), rows


def _asked_for(minutes: int) -> tuple[Span, dict[str, Any]]:
    step_s = -(-minutes // _MOST_STEPS) * 60
    until = datetime.now(UTC)
    since = until - timedelta(minutes=minutes)
    names = {"first": first_id_at(PAYMENT, since), "most": MOST_READ, "step_s": step_s}
    return Span(since, until, step_s), names


def _shortened(span: Span, counted: int, steps: Sequence[int]) -> Span:
    if counted < MOST_READ or not steps:
        return span
    # The first step is cut off somewhere, so it is not shown as if it were whole.
    since = datetime.fromtimestamp(min(steps) + span.step_s, UTC)
    return Span(since, span.until, span.step_s, complete=False)
