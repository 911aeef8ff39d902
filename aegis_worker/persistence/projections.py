"""The statements of the read models: facts by payment, summaries by hour, and their totals.

A summary changes by what a payment counts now, less what it counted before, which its row of facts says. Both change in one
statement, so a change that is taken in twice changes nothing. One transaction at a time takes anything in, by a lock. The
totals (by day, and over all merchants) change with the summaries, by triggers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from .tables.projections import KEYS, SUMS

_NAME = "payments"
# Of the whole database: nobody else uses this number.
_LOCK = "SELECT pg_try_advisory_xact_lock(hashtext('aegis:projections'))"
_LOCK_AND_WAIT = "SELECT pg_advisory_xact_lock(hashtext('aegis:projections'))"

_NOTE = "INSERT INTO projection_notes (payment_ids, changes) VALUES (%(ids)s::text[], cardinality(%(ids)s::text[]))"

# What a payment is counted under now. Until it has ended or is held it is open, at no gateway: the events in between change
# nothing here. The arm of an A/B test is part of the decision about its first hop.
_NOW = """
SELECT p.id AS payment_id, p.merchant_id, p.mode, date_trunc('hour', p.created_at, 'UTC') AS hour,
    CASE WHEN s.settled THEN coalesce(p.gateway, '') ELSE '' END AS gateway,
    p.payment_method ->> 'type' AS method, p.currency,
    coalesce(a.decision ->> 'experiment', '') AS experiment, coalesce(a.decision ->> 'arm', '') AS arm,
    CASE WHEN s.settled THEN p.state ELSE 'OPEN' END AS state,
    p.amount_minor, p.captured_minor, p.refunded_minor, p.charged_back_minor,
    CASE WHEN s.settled THEN p.last_error ->> 'code' END AS error_code, p.payment_method ->> 'last4' AS last4,
    p.customer_id, nullif(p.metadata, '{}') AS metadata
FROM ids JOIN payments p ON p.id = ids.payment_id
CROSS JOIN LATERAL (SELECT p.state IN ('AUTHORIZED', 'SUCCESS', 'FAILURE', 'CANCELLED') AS settled) s
LEFT JOIN LATERAL (
    SELECT decision FROM attempts WHERE s.settled AND payment_id = p.id AND number = 1 AND decision IS NOT NULL
    ORDER BY sent_at LIMIT 1
) a ON true
"""
_FACTS = ", ".join(("payment_id", *KEYS, *SUMS, "error_code", "last4", "customer_id", "metadata"))
_SET = ", ".join(f"{name} = excluded.{name}" for name in _FACTS.split(", ")[1:])
_KEY = ", ".join(KEYS)
_SUMMED = ", ".join(f"sum(sign * {name}) AS {name}" for name in SUMS)
_ADDED = ", ".join(f"{name} = s.{name} + excluded.{name}" for name in ("payments", *SUMS))
_CHANGES_ANYTHING = " OR ".join(f"sum(sign * {name}) <> 0" for name in ("1", *SUMS))

# `before` sees the facts as they were when the statement began. Facts that are the same as before are not written again.
_TAKE_IN = f"""
now AS MATERIALIZED ({_NOW}),
before AS MATERIALIZED (SELECT f.* FROM ids JOIN payment_facts f ON f.payment_id = ids.payment_id),
kept AS (
    INSERT INTO payment_facts ({_FACTS})
    SELECT {_FACTS} FROM now EXCEPT SELECT {_FACTS} FROM before ORDER BY payment_id
    ON CONFLICT (payment_id) DO UPDATE SET {_SET}
),
summed AS (
    INSERT INTO payment_summaries AS s ({_KEY}, payments, {", ".join(SUMS)})
    SELECT {_KEY}, sum(sign) AS payments, {_SUMMED}
    FROM (SELECT 1 AS sign, {_KEY}, {", ".join(SUMS)} FROM now
        UNION ALL SELECT -1, {_KEY}, {", ".join(SUMS)} FROM before) changed
    GROUP BY {_KEY} HAVING {_CHANGES_ANYTHING} ORDER BY {_KEY}
    ON CONFLICT ({_KEY}) DO UPDATE SET {_ADDED}
)
"""
_TAKE_IN_CHANGES = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM (
        SELECT id, sum(changes) OVER (ORDER BY id) - changes AS earlier
        FROM (SELECT id, changes FROM projection_notes ORDER BY id LIMIT %(limit)s) oldest
    ) counted WHERE earlier < %(limit)s
), noted AS (
    DELETE FROM projection_notes n USING due WHERE n.id = due.id RETURNING n.payment_ids
), noted_by_older_code AS (
    DELETE FROM projection_changes c USING (SELECT id FROM projection_changes ORDER BY id LIMIT %(limit)s) t
    WHERE c.id = t.id RETURNING c.payment_id
), taken AS MATERIALIZED (
    SELECT unnest(payment_ids) AS payment_id FROM noted UNION ALL TABLE noted_by_older_code
), ids AS MATERIALIZED (SELECT DISTINCT payment_id FROM taken), {_TAKE_IN}
SELECT count(*) FROM taken
"""
_TAKE_IN_NEXT = f"""
WITH ids AS MATERIALIZED (
    SELECT id AS payment_id FROM payments WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
), {_TAKE_IN}
SELECT count(*) AS taken, max(payment_id) AS done_to FROM ids
"""
_BEGIN = """
INSERT INTO projection_rebuilds (name, done_to) VALUES (%(name)s, '')
ON CONFLICT (name) DO UPDATE SET done_to = '', begun_at = clock_timestamp(), finished_at = NULL
"""
_GO_ON = """
UPDATE projection_rebuilds
SET done_to = coalesce(%(done_to)s, done_to), finished_at = CASE WHEN %(over)s THEN clock_timestamp() END
WHERE name = %(name)s
"""
_LAG = """
SELECT (SELECT coalesce(sum(changes), 0)::bigint FROM (
        (SELECT changes FROM projection_notes ORDER BY id LIMIT %(most)s)
        UNION ALL (SELECT 1 FROM projection_changes ORDER BY id LIMIT %(most)s)
    ) noted) AS pending,
    coalesce(extract(epoch FROM clock_timestamp() - o.told_at), 0)::float8 AS oldest_age_s,
    r.done_to, r.begun_at, r.finished_at
FROM (SELECT) one LEFT JOIN projection_rebuilds r ON r.name = %(name)s
LEFT JOIN LATERAL (
    SELECT min(told_at) AS told_at FROM (
        (SELECT told_at FROM projection_notes ORDER BY id LIMIT 1)
        UNION ALL (SELECT told_at FROM projection_changes ORDER BY id LIMIT 1)
    ) oldest
) o ON true
"""
# Everything counted anew, to hold summaries and totals against.
_COUNTED = ", ".join(("payments", *SUMS))
_ADDED_UP = ", ".join(f"sum({name}) AS {name}" for name in ("payments", *SUMS))
_OTHER_KEYS = ", ".join(name for name in KEYS if name not in {"merchant_id", "hour"})
_RECOUNT = f"""
WITH ids AS (SELECT id AS payment_id FROM payments), now AS ({_NOW}),
counted AS (
    SELECT {_KEY}, count(*) AS payments, {", ".join(f"sum({name}) AS {name}" for name in SUMS)} FROM now GROUP BY {_KEY}
),
summaries AS (SELECT {_KEY}, {_COUNTED} FROM payment_summaries WHERE payments <> 0),
added AS (
    SELECT CASE WHEN GROUPING(hour) = 0 THEN 'hour' WHEN GROUPING(merchant_id) = 0 THEN 'merchant_day' ELSE 'day' END
        AS kind, coalesce(merchant_id, '') AS merchant_id, coalesce(hour, day) AS at, {_OTHER_KEYS}, {_ADDED_UP}
    FROM (SELECT *, date_trunc('day', hour, 'UTC') AS day FROM counted) c
    GROUP BY {_OTHER_KEYS}, GROUPING SETS ((merchant_id, day), (hour), (day))
),
totals AS (SELECT kind, merchant_id, at, {_OTHER_KEYS}, {_COUNTED} FROM payment_totals WHERE payments <> 0)
SELECT (SELECT count(*) FROM (
    (TABLE counted EXCEPT TABLE summaries) UNION ALL (TABLE summaries EXCEPT TABLE counted)
) of_summaries) + (SELECT count(*) FROM (
    (TABLE added EXCEPT TABLE totals) UNION ALL (TABLE totals EXCEPT TABLE added)
) of_totals)
"""
MOST_PENDING = 100_000


@dataclass(frozen=True, slots=True)
class ProjectionLag:
    """How far behind the read models are: changes not taken in (counted up to MOST_PENDING), and the age of the oldest.

    `rebuilding_to`: while they are made anew, the last payment that they have; None otherwise. `rebuilt_at`: when they were
    last made anew, None if never.
    """

    pending: int
    oldest_age_s: float
    rebuilding_to: str | None
    rebuilt_at: datetime | None


def note(connection: Connection, payment_ids: Sequence[str]) -> None:
    """Note that these payments have changed: one row for all of them, because events come in batches."""
    connection.exec_driver_sql(_NOTE, {"ids": list(payment_ids)})


def take_in(connection: Connection, *, limit: int) -> int | None:
    """Take in the oldest notes, of `limit` changes or some more; how many changes they had.

    None while another transaction takes something in.
    """
    if not connection.exec_driver_sql(_LOCK).scalar_one():
        return None
    return int(connection.exec_driver_sql(_TAKE_IN_CHANGES, {"limit": limit}).scalar_one())


def begin_rebuild(connection: Connection) -> None:
    """Empty the read models."""
    connection.exec_driver_sql(_LOCK_AND_WAIT)
    connection.exec_driver_sql("TRUNCATE payment_facts, payment_summaries")
    connection.exec_driver_sql(_BEGIN, {"name": _NAME})


def rebuild_some(connection: Connection, after: str, *, limit: int) -> tuple[int, str]:
    """Take in the payments after `after`, in the order of their ids; how many, and the last of them."""
    connection.exec_driver_sql(_LOCK_AND_WAIT)
    row = connection.exec_driver_sql(_TAKE_IN_NEXT, {"after": after, "limit": limit}).one()
    over = row.taken < limit
    connection.exec_driver_sql(_GO_ON, {"name": _NAME, "done_to": row.done_to, "over": over})
    return row.taken, row.done_to or after


def lag(connection: Connection) -> ProjectionLag:
    """How far behind the read models are."""
    row = connection.exec_driver_sql(_LAG, {"name": _NAME, "most": MOST_PENDING}).one()
    is_under_way = row.begun_at is not None and row.finished_at is None
    return ProjectionLag(
        row.pending, row.oldest_age_s, row.done_to if is_under_way else None, row.finished_at
    )


def differences(connection: Connection) -> int:
    """How many rows of the summaries and totals are not what a full recount gives. Reads every payment."""
    return int(connection.exec_driver_sql(_RECOUNT).scalar_one())


def payments_about(connection: Connection) -> int:
    """About how many payments there are, by PostgreSQL's own statistics: for a progress bar."""
    about = connection.exec_driver_sql(
        "SELECT reltuples::bigint FROM pg_class WHERE oid = 'payments'::regclass"
    )
    return max(0, int(about.scalar_one()))
