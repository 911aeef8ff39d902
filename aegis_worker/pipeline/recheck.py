"""Ask again about charges that were refused, or absent, and about those that were sent more than once: one that comes about
all the same, or a twin of one, must not stay unknown.

`attempts.recheck_at` says when; the ladder, in seconds since the first answer, how often. A charge that is found has its
payment asked about (a `sync`), which tells of it and decides. So has one that was in doubt and whose gateway was silent to
the end: that sync ends at an answer or at a person. Gateways are asked outside any transaction.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point
from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import (
    Lookup,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
    charges,
)
from aegis_worker.exchange.engine import STUCK, begun
from aegis_worker.exchange.watched import Begin, about, watched
from aegis_worker.gateways.accounts import out_of_reach
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.discretion import discreet
from aegis_worker.gateways.requests import StatusQuery
from aegis_worker.hints import Notifier
from aegis_worker.persistence.asking import sync_now
from aegis_worker.persistence.database import Database

from .exchanges import Exchanges
from .rechecked import (
    PUT_OFF_S,
    after_recheck,
    has_twin_that_is_not_shown,
    is_left_in_doubt,
    is_news,
)

_BATCH, _SIDE_BY_SIDE, _BUDGET_S = 64, 8, 10.0


@dataclass(frozen=True, slots=True)
class RecheckParts:
    """What rechecking works with. `ladder_s`: seconds since the answer; a silent gateway is asked until twice its end."""

    database: Database
    gateways: Mapping[str, PaymentGateway]
    hints: Notifier
    ladder_s: tuple[float, ...]
    exchanges: Exchanges = field(default_factory=lambda: Exchanges(None))


_CLAIM = """
UPDATE attempts a SET recheck_at = clock_timestamp() + make_interval(secs => %(put_off_s)s)
FROM (SELECT payment_id, operation, number FROM attempts WHERE recheck_at <= statement_timestamp()
      ORDER BY recheck_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) due
    JOIN payments p ON p.id = due.payment_id
WHERE (a.payment_id, a.operation, a.number) = (due.payment_id, due.operation, due.number)
RETURNING a.payment_id, a.operation, a.number, a.gateway, a.account, a.gateway_key, a.rechecks, a.status,
    a.sends, a.checks, a.outcome->>'twin' AS twin,
    (SELECT array_agg(k.gateway_ref) FROM attempts k
     WHERE k.payment_id = a.payment_id AND k.gateway = a.gateway AND k.gateway_ref IS NOT NULL) AS known_refs,
    p.mode, p.amount_minor, p.currency, p.capture_method,
    a.recheck_at::text AS claimed_until,
    extract(epoch FROM clock_timestamp() - coalesce(a.answered_at, a.sent_at))::float8 AS age_s,
    (SELECT h.gateway_ref FROM attempts h
     WHERE h.payment_id = a.payment_id AND h.number = a.number AND h.gateway_ref IS NOT NULL
       AND h.operation IN ('initiate', 'authenticate', 'process')
     ORDER BY h.sent_at DESC LIMIT 1) AS gateway_ref
"""

# A worker that slept past its claim settles nothing, because whoever asked since has heard something newer.
_SETTLE = """
UPDATE attempts a
SET rechecks = n.rechecks, last_checked_at = clock_timestamp(),
    recheck_at = clock_timestamp() + make_interval(secs => n.next_in_s)
FROM json_to_recordset(%(rows)s::json) AS n(
    payment_id text, operation text, number int, claimed_until timestamptz, rechecks int, next_in_s float8)
WHERE (a.payment_id, a.operation, a.number) = (n.payment_id, n.operation, n.number)
    AND a.recheck_at = n.claimed_until
"""

# Judge only payments that have ended: until then either attempt may become the charge.
_HAS_ENDED = """
SELECT 1 FROM payments WHERE id = %(payment_id)s AND state IN ('AUTHORIZED', 'SUCCESS', 'FAILURE', 'CANCELLED')
"""


def recheck(parts: RecheckParts) -> dict[str, int]:
    """Ask about what is due until nothing is, or the budget is spent. Returns how many charges were asked about, and of how
    many the payment is to be asked about now: `found`.
    """
    counts = {"asked": 0, "found": 0}
    silent: set[str] = set()
    stop_at = time.monotonic() + _BUDGET_S
    while time.monotonic() < stop_at:
        claimed_at_s = clock_s()
        due = parts.database.run(_claim)
        if not due:
            break
        crash_point("recheck.claimed")
        answers = _ask_all(parts.gateways, due, silent, parts.exchanges)
        crash_point("recheck.answered")
        found = parts.database.run(
            partial(_settle, parts=parts, due=due, answers=answers, claimed_at_s=claimed_at_s)
        )
        counts["asked"] += len(due)
        counts["found"] += found
        if found:
            parts.hints.notify("verify")
        parts.exchanges.write()
    return counts


def _claim(connection: Connection) -> list[dict[str, Any]]:
    rows = connection.exec_driver_sql(_CLAIM, {"put_off_s": PUT_OFF_S, "limit": _BATCH}).mappings()
    return [dict(row) for row in rows]


def _ask_all(
    gateways: Mapping[str, PaymentGateway],
    rows: Sequence[Mapping[str, Any]],
    silent: set[str],
    exchanges: Exchanges,
) -> list[Lookup]:
    """Ask about some at a time, but not a gateway that has just not answered in time: all of a batch would hold the task
    past its limit. `silent` remembers such gateways.
    """
    answers: list[Lookup] = []
    for begin in range(0, len(rows), _SIDE_BY_SIDE):
        some = rows[begin : begin + _SIDE_BY_SIDE]
        waits = [_asked(gateways, row, silent, exchanges) for row in some]
        for row, wait in zip(some, waits, strict=True):
            answer = discreet(wait())
            if isinstance(answer, Unknown) and answer.kind is UnknownKind.ANSWER_TIMEOUT:
                silent.add(row["gateway"])
            answers.append(answer)
    return answers


def _asked(
    gateways: Mapping[str, PaymentGateway], row: Mapping[str, Any], silent: set[str], exchanges: Exchanges
) -> Callable[[], Lookup]:
    """Ask about the charge; what is returned waits for the answer."""
    if row["gateway"] in silent:
        return lambda: Unknown("it did not answer about another payment")
    gateway = gateways.get(row["gateway"])
    config = None if gateway is None else gateway.config
    unreachable = out_of_reach(row["gateway"], config, row["account"], row["mode"])
    if gateway is None or unreachable is not None:
        return lambda: Unknown(unreachable or "")
    amount, operation = Money(row["amount_minor"], row["currency"]), Operation(row["operation"])
    if not charges(operation) or has_twin_that_is_not_shown(gateway.capabilities, row["twin"]):
        # Its payment's sync looks at what was done with the charge, or takes it to a person.
        return lambda: Pending(row["gateway_ref"] or "")
    query = StatusQuery(
        operation,
        row["gateway_key"],
        row["gateway_ref"],
        amount,
        capture=row["capture_method"] == "automatic",
        twins=row["sends"] > 1,
    )
    note = exchanges.noting_look_up(row["payment_id"], row["operation"], row["number"])
    asked: Begin[Lookup] = watched(partial(gateway.ask, query, note=note), about(row["gateway"], query))
    return begun(asked, gateway.config.slowest_call_s, STUCK)


def _settle(
    connection: Connection,
    parts: RecheckParts,
    due: Sequence[Mapping[str, Any]],
    answers: Sequence[Lookup],
    claimed_at_s: float,
) -> int:
    found, rows, elapsed_s = 0, [], clock_s() - claimed_at_s
    for row, answer in zip(due, answers, strict=True):
        age_s, status = row["age_s"] + elapsed_s, AttemptStatus(row["status"])
        because = None
        if is_news(status, row["known_refs"] or (), answer):
            because = f"{row['gateway']} showed another end of attempt {row['number']}"
        elif is_left_in_doubt(parts.ladder_s, age_s, answer, row["sends"], row["checks"]):
            because = f"{row['gateway']} told nothing of attempt {row['number']} by the end of the rechecks"
        is_asked = because is not None and _is_asked_about(connection, row["payment_id"], because)
        found += is_asked
        following = after_recheck(
            parts.ladder_s, row["rechecks"], age_s, answer, has_to_wait=because is not None and not is_asked
        )
        names = {name: row[name] for name in ("payment_id", "operation", "number", "claimed_until")}
        rows.append(names | following)
    connection.exec_driver_sql(_SETTLE, {"rows": json.dumps(rows)})
    return found


def _is_asked_about(connection: Connection, payment_id: str, because: str) -> bool:
    """False where another job of the payment is open, such as the rest of a cancel: it may ask about no charge."""
    has_ended = connection.exec_driver_sql(_HAS_ENDED, {"payment_id": payment_id}).one_or_none()
    return has_ended is not None and sync_now(connection, payment_id, because)
