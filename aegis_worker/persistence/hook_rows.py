"""Rows of `hook_deliveries`: made for each hook that listens, claimed in order per hook and payment, and settled.

`due_at` is "not before" and, for one that is claimed, the end of the worker's lease; `lease_epoch` is the fence. What a
hook took is deleted, so the table holds what waits (`pending`) and what was given up (`dead`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from .prepared import ROW_BY_ROW, Prepared
from .published import JOIN_PUBLISHED, PUBLISHED_COLUMNS, PublishedEvent, published_from_row
from .statement_files import text_of

MOST_ERROR = 200

_MAKE = """
INSERT INTO hook_deliveries (hook, point, payment_id, seq)
SELECT * FROM unnest(%(hooks)s::text[], %(points)s::text[], %(payment_ids)s::text[], %(seqs)s::int[])
ON CONFLICT DO NOTHING
"""
_CLAIM = Prepared(
    "hook_claim",
    text_of("hook_claim", published_columns=PUBLISHED_COLUMNS, join_published=JOIN_PUBLISHED),
    "text[], text[], int, float8",
    before=ROW_BY_ROW,
)
# LATERAL and OFFSET 0 make the planner look each row up by its key. It is found again by its place (`at`). Whoever takes a
# delivery away from its holder raises the fence, so one that is under its holder's fence is pending. `IS NOT DISTINCT FROM`
# implies no condition of an index, of which all would be read then.
_PLACED = """
CROSS JOIN LATERAL (
    SELECT ctid AS at FROM hook_deliveries
    WHERE hook = given.hook AND point = given.point AND payment_id = given.payment_id AND seq = given.seq OFFSET 0
) kept
"""
_MINE = f"""
(
    SELECT given.lease_epoch, kept.at
    FROM unnest($1, $2, $3, $4, $5) AS given(hook, point, payment_id, seq, lease_epoch) {_PLACED}
) mine
"""
_IS_MINE = "d.ctid = mine.at AND d.lease_epoch = mine.lease_epoch AND d.status IS NOT DISTINCT FROM 'pending'"
_KEYS = "text[], text[], text[], int[], int[]"
_REMOVE = Prepared(
    "hook_remove", f"DELETE FROM hook_deliveries d USING {_MINE} WHERE {_IS_MINE}", _KEYS, before=ROW_BY_ROW
)
_PUT_BACK = Prepared(
    "hook_put_back",
    f"""
UPDATE hook_deliveries d SET due_at = statement_timestamp() + interval '1 s', lease_epoch = d.lease_epoch + 1
FROM {_MINE} WHERE {_IS_MINE}
""",
    _KEYS,
    before=ROW_BY_ROW,
)
# The deliveries behind one that failed wait as long as it does. Otherwise every claim until then would look at them again.
_FAIL = Prepared(
    "hook_fail",
    f"""
WITH failed AS (
    UPDATE hook_deliveries d
    SET status = mine.status, tries = d.tries + 1, last_error = mine.error, lease_epoch = d.lease_epoch + 1,
        due_at = statement_timestamp() + make_interval(secs => mine.delay_s)
    FROM (
        SELECT given.*, kept.at FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
            AS given(hook, point, payment_id, seq, lease_epoch, status, delay_s, error) {_PLACED}
    ) mine
    WHERE {_IS_MINE}
    RETURNING d.hook, d.point, d.payment_id, d.seq, d.status, d.due_at
), behind AS (
    UPDATE hook_deliveries d SET due_at = later.due_at
    FROM (
        SELECT failed.due_at, kept.at FROM failed CROSS JOIN LATERAL (
            SELECT ctid AS at FROM hook_deliveries
            WHERE hook = failed.hook AND point = failed.point AND payment_id = failed.payment_id AND seq > failed.seq
            OFFSET 0
        ) kept
        WHERE failed.status = 'pending'
    ) later
    WHERE d.ctid = later.at AND d.status IS NOT DISTINCT FROM 'pending'
)
SELECT 1 FROM failed
""",
    f"{_KEYS}, text[], float8[], text[]",
    before=ROW_BY_ROW,
)
_AGAIN = """
UPDATE hook_deliveries SET status = 'pending', due_at = statement_timestamp(), tries = 0, lease_epoch = lease_epoch + 1
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM hook_deliveries WHERE hook = %(hook)s AND status = 'dead'
        AND (%(payment_id)s::text IS NULL OR (payment_id, seq) = (%(payment_id)s::text, %(seq)s::int))
    ORDER BY created_at LIMIT %(limit)s))
"""
_BACKLOG = """
SELECT hook, point, count(*) FILTER (WHERE status = 'pending') AS pending,
    count(*) FILTER (WHERE status = 'pending' AND tries > 0) AS failing,
    count(*) FILTER (WHERE status = 'dead') AS dead,
    min(created_at) FILTER (WHERE status = 'pending') AS oldest,
    (array_agg(last_error ORDER BY created_at DESC) FILTER (WHERE last_error IS NOT NULL))[1] AS last_error
FROM (SELECT * FROM hook_deliveries ORDER BY created_at LIMIT %(most)s) oldest
GROUP BY hook, point ORDER BY hook, point
"""


class Listener(Struct, frozen=True):
    """A hook, by its name, and the point at which it is told of events."""

    hook: str
    point: str


class ClaimedForHook(Struct, frozen=True):
    """A delivery that this worker holds; `tries` counts the failures so far."""

    listener: Listener
    lease_epoch: int
    tries: int
    event: PublishedEvent


class Failure(Struct, frozen=True):
    """A claimed delivery that its hook did not take. It is given up where `delay_s` is None, else due after that."""

    delivery: ClaimedForHook
    error: str
    delay_s: float | None


class Backlog(Struct, frozen=True):
    """What waits for a hook. `failing`: of the pending, those that were tried; `oldest`: when the first was made."""

    hook: str
    point: str
    pending: int
    failing: int
    dead: int
    oldest: datetime | None
    last_error: str | None


def make(connection: Connection, wanted: Sequence[tuple[Listener, PublishedEvent]]) -> int:
    """Make a delivery of each event for its hook; returns how many are new."""
    parameters = {
        "hooks": [listener.hook for listener, _ in wanted],
        "points": [listener.point for listener, _ in wanted],
        "payment_ids": [event.payment_id for _, event in wanted],
        "seqs": [event.seq for _, event in wanted],
    }
    return connection.exec_driver_sql(_MAKE, parameters).rowcount


def claim(
    connection: Connection, listeners: Sequence[Listener], *, of_each: int, lease_s: float
) -> list[ClaimedForHook]:
    """Take up to `of_each` due deliveries of each listener, each the first of its payment."""
    hooks, points = [one.hook for one in listeners], [one.point for one in listeners]
    rows: Sequence[Sequence[Any]] = _CLAIM.execute(connection, hooks, points, of_each, lease_s).all()
    return [
        ClaimedForHook(Listener(hook, point), lease_epoch, tries, published_from_row(event))
        for hook, point, lease_epoch, tries, *event in rows
    ]


def settle(
    connection: Connection,
    taken: Sequence[ClaimedForHook],
    failures: Sequence[Failure] = (),
    put_back: Sequence[ClaimedForHook] = (),
) -> int:
    """Write down what became of claimed deliveries; returns how many were still ours. `put_back`: due in a moment."""
    settled = 0
    if taken:
        settled += _REMOVE.execute(connection, *_keys(taken)).rowcount
    if put_back:
        settled += _PUT_BACK.execute(connection, *_keys(put_back)).rowcount
    if failures:
        settled += _FAIL.execute(
            connection,
            *_keys([failure.delivery for failure in failures]),
            ["dead" if failure.delay_s is None else "pending" for failure in failures],
            [failure.delay_s or 0.0 for failure in failures],
            [failure.error[:MOST_ERROR] for failure in failures],
        ).rowcount
    return settled


def again(connection: Connection, hook: str, *, limit: int, of_event: tuple[str, int] | None = None) -> int:
    """Make up to `limit` deliveries due that were given up for this hook, the oldest first; returns how many.

    `of_event`: only those of the payment's event with that seq.
    """
    payment_id, seq = of_event or (None, None)
    names = {"hook": hook, "limit": limit, "payment_id": payment_id, "seq": seq}
    return connection.exec_driver_sql(_AGAIN, names).rowcount


def backlog(connection: Connection, *, most: int) -> list[Backlog]:
    """What waits for each hook, of the `most` oldest deliveries of all."""
    return [Backlog(*row) for row in connection.exec_driver_sql(_BACKLOG, {"most": most}).all()]


def _keys(claimed: Sequence[ClaimedForHook]) -> tuple[list[str] | list[int], ...]:
    return (
        [one.listener.hook for one in claimed],
        [one.listener.point for one in claimed],
        [one.event.payment_id for one in claimed],
        [one.event.seq for one in claimed],
        [one.lease_epoch for one in claimed],
    )
