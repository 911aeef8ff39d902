"""The outbox: claim due events, in order within each payment; put off those that failed; remove those delivered.

A row points at an event. `due_at` is "not before" and, while it is `leased`, the end of the drainer's lease;
`lease_epoch` is the fence. A row is claimed only together with every earlier row of its payment, or if there is none. An
earlier row may be missing from a claim because another drain has locked or leased it, because it waits after a failure,
or because LIMIT cut it off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from sqlalchemy import Connection

from .published import JOIN_PUBLISHED, PUBLISHED_COLUMNS, PublishedEvent, published_from_row

# statement_timestamp() and not clock_timestamp(): only a stable function can bound an index scan.
#
# A row that is behind another is put off until that one is due, or for a moment if that one is just being delivered.
# Otherwise the rows of payments that wait would gather at the head of the index until they fill every page of LIMIT rows,
# and a claim would find nothing else.
#
# OFFSET 0, LIMIT and _BY_INDEX are for the planner, which knows little about a table that is empty one minute and full
# the next. They keep it from reading the whole table, and from looking through all due rows once for each payment. For
# the same reason its plan is not kept.
#
# An event may be fanned out as soon as every earlier event of its payment is, in this claim or before. It doesn't wait
# until those are told. So the statement may mark rows as fanned out that it doesn't claim.
_BY_INDEX = "SET LOCAL enable_seqscan = off;"
_CLAIM = f"""
{_BY_INDEX}
WITH due AS MATERIALIZED (
    SELECT payment_id, seq, fanned_out FROM outbox
    WHERE due_at <= statement_timestamp()
    ORDER BY due_at, payment_id, seq LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), undelivered AS (
    SELECT o.payment_id, o.seq, o.due_at, d.fanned_out, d.seq IS NOT NULL AS picked,
        max(
            CASE WHEN o.leased THEN least(o.due_at, statement_timestamp() + interval '50 ms') ELSE o.due_at END
        ) FILTER (WHERE d.seq IS NULL) OVER up_to_here AS behind,
        bool_and(d.seq IS NOT NULL OR o.fanned_out) OVER up_to_here AS may_fan_out
    FROM (
        SELECT of_it.* FROM (SELECT DISTINCT payment_id FROM due) one
        CROSS JOIN LATERAL (SELECT * FROM outbox WHERE payment_id = one.payment_id OFFSET 0) of_it OFFSET 0
    ) o
    LEFT JOIN due d ON d.payment_id = o.payment_id AND d.seq = o.seq
    WINDOW up_to_here AS (PARTITION BY o.payment_id ORDER BY o.seq)
), taken AS (
    UPDATE outbox o
    SET leased = u.behind IS NULL, lease_epoch = o.lease_epoch + (u.behind IS NULL)::int,
        due_at = CASE WHEN u.behind IS NULL
            THEN statement_timestamp() + make_interval(secs => %(lease_s)s) ELSE greatest(o.due_at, u.behind) END,
        fanned_out = u.fanned_out OR u.may_fan_out
    FROM (SELECT * FROM undelivered WHERE picked LIMIT %(limit)s) u
    WHERE o.payment_id = u.payment_id AND o.seq = u.seq
    RETURNING o.payment_id, o.seq, o.lease_epoch, o.tries, u.behind IS NULL AS claimed,
        coalesce(u.behind > u.due_at, true) AS moved, u.may_fan_out AND NOT u.fanned_out AS fan_out
)
SELECT t.claimed, t.moved, t.lease_epoch, t.tries, t.fan_out, {PUBLISHED_COLUMNS}
FROM taken t {JOIN_PUBLISHED}
ORDER BY t.payment_id, t.seq
"""

_MINE = "unnest(%(payment_ids)s::text[], %(seqs)s::int[], %(epochs)s::int[]"

# Rows that were put off behind a removed row become due at once.
_REMOVE = f"""
{_BY_INDEX}
WITH gone AS (
    DELETE FROM outbox o USING {_MINE}) AS mine(payment_id, seq, lease_epoch)
    WHERE o.payment_id = mine.payment_id AND o.seq = mine.seq AND o.lease_epoch = mine.lease_epoch
    RETURNING o.payment_id
), next AS (
    UPDATE outbox o SET due_at = statement_timestamp()
    FROM (SELECT DISTINCT payment_id FROM gone) one
    CROSS JOIN LATERAL (
        SELECT payment_id, seq, leased, due_at FROM outbox WHERE payment_id = one.payment_id OFFSET 0
    ) behind
    WHERE NOT behind.leased AND behind.due_at > statement_timestamp()
        AND o.payment_id = behind.payment_id AND o.seq = behind.seq AND NOT o.leased
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS removed, (SELECT count(*) FROM next) AS freed
"""

_BACK_OFF = f"""
UPDATE outbox o
SET leased = false, tries = o.tries + 1, last_error = %(error)s,
    due_at = statement_timestamp() + make_interval(secs => mine.delay_s)
FROM {_MINE}, %(delays_s)s::float8[]) AS mine(payment_id, seq, lease_epoch, delay_s)
WHERE o.payment_id = mine.payment_id AND o.seq = mine.seq AND o.lease_epoch = mine.lease_epoch
    AND o.leased
"""

_LAG = """
SELECT count(*) AS pending, count(*) FILTER (WHERE tries > 0) AS failed,
    count(*) FILTER (WHERE leased AND due_at > statement_timestamp()) AS leased,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_age_s
FROM outbox
"""

_MAX_ERROR = 200


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An outbox row that this drainer holds; `tries` counts the failures so far."""

    event: PublishedEvent
    lease_epoch: int
    tries: int


@dataclass(frozen=True, slots=True)
class OutboxClaim:
    """`events` by payment and seq. `moved` also counts due rows that were put off behind others.

    If it is 0, nothing is due but perhaps rows that another drain is claiming at this moment. `full`: the claim looked at
    as many rows as its limit allows, so more may be due. `to_fan_out` by payment and seq: the claim has marked these
    events as fanned out, so their deliveries must be made in the same transaction.
    """

    events: tuple[ClaimedEvent, ...]
    to_fan_out: tuple[PublishedEvent, ...]
    moved: int
    full: bool


@dataclass(frozen=True, slots=True)
class Removal:
    """`removed`: rows that were still ours and are gone. `freed`: rows that had been put off behind them, due now."""

    removed: int
    freed: int


class Lag(TypedDict):
    """How far behind delivery to a sink is: how many are pending, and the age of the oldest in seconds.

    Of the pending ones `failed` have failed before and will be tried again, `leased` are being delivered just now.
    """

    pending: int
    failed: int
    leased: int
    oldest_age_s: float


def claim(connection: Connection, *, limit: int, lease_s: float) -> OutboxClaim:
    """Look at up to `limit` due rows and take those whose turn it is, each for `lease_s` seconds under a raised fence."""
    rows = connection.exec_driver_sql(_CLAIM, {"limit": limit, "lease_s": lease_s}).all()
    events: list[ClaimedEvent] = []
    to_fan_out: list[PublishedEvent] = []
    for claimed, _, lease_epoch, tries, fan_out, *columns in rows:
        if claimed or fan_out:
            event = published_from_row(columns)
            if claimed:
                events.append(ClaimedEvent(event, lease_epoch, tries))
            if fan_out:
                to_fan_out.append(event)
    return OutboxClaim(
        events=tuple(events),
        to_fan_out=tuple(to_fan_out),
        moved=sum(moved for _, moved, *_ in rows),
        full=len(rows) >= limit,
    )


def remove(connection: Connection, claimed: Sequence[ClaimedEvent]) -> Removal:
    """Remove delivered events whose rows are still ours."""
    row = connection.exec_driver_sql(_REMOVE, _mine(claimed)).one()
    return Removal(removed=row.removed, freed=row.freed)


def back_off(
    connection: Connection, claimed: Sequence[ClaimedEvent], delays_s: Sequence[float], error: str
) -> int:
    """Put off events that were not delivered, each by its delay; returns how many rows were still ours."""
    parameters = {**_mine(claimed), "delays_s": list(delays_s), "error": error[:_MAX_ERROR]}
    return connection.exec_driver_sql(_BACK_OFF, parameters).rowcount


def lag(connection: Connection) -> Lag:
    """Reads the whole outbox: for people and for a gauge every few seconds, not for a hot path."""
    row = connection.exec_driver_sql(_LAG).one()
    return Lag(pending=row.pending, failed=row.failed, leased=row.leased, oldest_age_s=row.oldest_age_s)


def _mine(claimed: Sequence[ClaimedEvent]) -> dict[str, list[str] | list[int]]:
    return {
        "payment_ids": [row.event.payment_id for row in claimed],
        "seqs": [row.event.seq for row in claimed],
        "epochs": [row.lease_epoch for row in claimed],
    }
