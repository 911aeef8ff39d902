"""Past payments with their first hops, and how all their hops ended, by gateway. They come in pages, newest first.

A payment's id begins with its time, and its attempts are stored under its id. So a period is a range of ids, and no other
index is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from aegis_worker.ids import PAYMENT, first_id_at
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.mapping import payment_from_row
from aegis_worker.resilience.permits import Counted
from aegis_worker.routing.past import Measured, PastPayment, counted, past_hop

MOST_PAYMENTS = 100_000
_DEFAULT_SPAN = timedelta(days=7)
_PAGE = 1000

# The steps of a hop, the one that says most about it first.
_STEPS = "ARRAY['process', 'authenticate', 'initiate']"
_LAST_STEP_FIRST = f"array_position({_STEPS}, a.operation)"
# The category of a decline, or the kind of reason why a call was not sent.
_SAID = "coalesce(a.outcome->>'category', a.outcome->>'kind')"
# A subquery for statements about a payment `p`: its first hop.
FIRST_HOP = f"""
SELECT a.gateway, a.operation, a.status, {_SAID} AS said, a.latency_ms
FROM attempts a WHERE a.payment_id = p.id AND a.number = 1 AND a.operation = ANY ({_STEPS})
ORDER BY {_LAST_STEP_FIRST} LIMIT 1
"""

_SPAN = """
SELECT (SELECT max(id) FROM payments),
    (SELECT id FROM payments WHERE id >= %(first)s ORDER BY id DESC OFFSET %(limit)s - 1 LIMIT 1)
"""
_COUNT = "SELECT count(*) FROM payments WHERE id BETWEEN %(first)s AND %(last)s"

_PAYMENTS = f"""
SELECT p.*, hop.gateway AS hop_gateway, hop.operation AS hop_operation, hop.status AS hop_status,
    hop.said AS hop_said, hop.latency_ms AS hop_latency_ms
FROM (
    SELECT * FROM payments WHERE id BETWEEN %(first)s AND %(last)s ORDER BY id DESC LIMIT %(limit)s
) p
LEFT JOIN LATERAL ({FIRST_HOP}) hop ON true
ORDER BY p.id DESC
"""

# One row for each way in which hops to a gateway ended, and one for the gateway as a whole.
_MEASURED = f"""
WITH hops AS (
    SELECT DISTINCT ON (a.payment_id, a.number) a.payment_id, a.number, a.gateway, a.operation, a.status, a.latency_ms,
        {_SAID} AS said, a.status IN ('APPROVED', 'DECLINED', 'PENDING', 'ACTION_REQUIRED') AS answered
    FROM attempts a
    WHERE a.payment_id BETWEEN %(first)s AND %(last)s AND a.operation = ANY ({_STEPS})
    ORDER BY a.payment_id, a.number, {_LAST_STEP_FIRST}
), told AS (
    SELECT hops.*,
        number > min(number) FILTER (WHERE status = 'DECLINED') OVER (PARTITION BY payment_id) AS declined_before
    FROM hops
)
SELECT gateway, operation, status, said, coalesce(declined_before, false) AS declined_before, count(*) AS hops,
    grouping(status) = 1 AS of_gateway, avg(latency_ms) FILTER (WHERE answered) AS mean_ms,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE answered) AS p95_ms
FROM told GROUP BY GROUPING SETS ((gateway, operation, status, said, declined_before), (gateway))
"""

_JUDGED = (Counted.APPROVED, Counted.DECLINED, Counted.ERROR)


@dataclass(frozen=True, slots=True)
class Span:
    """The payments accepted since then, or the newest of them: a range of ids, both ends included, and how many."""

    since: datetime
    first_id: str
    last_id: str
    payments: int


def a_week_ago() -> datetime:
    """From when on payments are taken if nobody says since when."""
    return datetime.now(UTC) - _DEFAULT_SPAN


def newest(database: Database, *, since: datetime, limit: int) -> Span:
    """The newest payments accepted since then, at most `limit` and at most 100,000 of them. Raises DatabaseUnavailable."""
    first = first_id_at(PAYMENT, since)
    with database.read() as connection:
        last, nth = connection.exec_driver_sql(
            _SPAN, {"first": first, "limit": min(limit, MOST_PAYMENTS)}
        ).one()
        ends = {"first": nth or first, "last": last or first}
        payments = connection.exec_driver_sql(_COUNT, ends).scalar_one()
    return Span(since, ends["first"], ends["last"], payments)


def measure(connection: Connection, span: Span) -> dict[str, Measured]:
    """How the hops of these payments ended, by gateway."""
    found: dict[str, Measured] = {}
    judged: dict[str, dict[Counted, int]] = {}
    parameters = {"first": span.first_id, "last": span.last_id}
    for row in connection.exec_driver_sql(_MEASURED, parameters).mappings():
        if row["of_gateway"]:
            found[row["gateway"]] = Measured(0, 0, row["mean_ms"], row["p95_ms"])
        else:
            result = counted(
                row["operation"], row["status"], row["said"], declined_before=row["declined_before"]
            )
            counts = judged.setdefault(row["gateway"], {})
            counts[result] = counts.get(result, 0) + row["hops"]
    return {
        gateway: Measured(
            sum(judged[gateway].get(result, 0) for result in _JUDGED),
            judged[gateway].get(Counted.APPROVED, 0),
            measured.latency_mean_ms,
            measured.latency_p95_ms,
        )
        for gateway, measured in found.items()
    }


def pages(database: Database, span: Span) -> Iterator[list[PastPayment]]:
    """These payments, newest first, a page at a time; no transaction stays open between pages."""
    last = span.last_id
    while True:
        parameters = {"first": span.first_id, "last": last, "limit": _PAGE}
        with database.read() as connection:
            page = [_past(row) for row in connection.exec_driver_sql(_PAYMENTS, parameters).mappings().all()]
        if page:
            yield page
        if len(page) < _PAGE:
            return
        last = _id_before(page[-1].payment.id)


def _id_before(payment_id: str) -> str:
    return f"{PAYMENT}_{int(payment_id.removeprefix(PAYMENT + '_'), 16) - 1:032x}"


def _past(row: Mapping[Any, Any]) -> PastPayment:
    hop = row["hop_gateway"] and past_hop(
        row["hop_gateway"],
        row["hop_operation"],
        row["hop_status"],
        row["hop_said"],
        row["hop_latency_ms"],
    )
    return PastPayment(payment_from_row(row), hop)
