"""Audit in bounded batches: payments in the order of their ids, idempotency keys in the order of their age.

Every batch is one statement, so it sees one moment; nothing is locked and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping

from aegis_worker.domain.moments import rfc3339
from aegis_worker.persistence.database import Database

from .checks import shared_among, violations
from .subjects import ACCEPTING, KEY_WITHIN_S, Subject, read_subjects
from .violations import Bounds, Finding, Page, Violation, gather

BATCH = 500
# A new snapshot is made after this many events since the last one, so that folding never takes many more.
SNAPSHOT_EVERY = 50

# Pages are cut by time, so if two keys of the same microsecond fall on the edge of a page, this round may miss one.
_MADE_APART = """(k.route = %(accepting)s AND (
    k.created_at > p.created_at + make_interval(secs => %(key_within_s)s) OR k.created_at < p.created_at))"""
_KEYS = f"""
SELECT k.merchant_id, k.route, k.key, k.payment_id, k.created_at, p.merchant_id AS payments_merchant,
    p.created_at AS payment_created_at, {_MADE_APART} AS made_apart
FROM idempotency_keys k LEFT JOIN payments p ON p.id = k.payment_id
WHERE k.created_at > %(after)s::timestamptz AND k.created_at <= coalesce(%(upto)s, statement_timestamp())
ORDER BY k.created_at LIMIT %(limit)s
"""


def check_payments(
    connection: Connection,
    after: str = "",
    limit: int = BATCH,
    bounds: Bounds | None = None,
    upto: str | None = None,
    *,
    whole: bool = False,
) -> Page:
    """Check up to `limit` payments whose ids come after `after` and, where given, not after `upto`.

    `whole` histories are folded from their start, which also checks the snapshots.
    """
    bounds = bounds or Bounds()
    subjects = shared_among(
        read_subjects(connection, bounds=bounds, limit=limit, after=after, upto=upto, whole=whole)
    )
    ids = [subject.payment.id for subject in subjects]
    found = [violation for subject in subjects for violation in violations(subject, bounds)]
    return Page("payments", ids, found, ids[-1] if len(ids) == limit else None, _long(subjects))


def _long(subjects: Sequence[Subject]) -> list[str]:
    return [
        subject.payment.id
        for subject in subjects
        if subject.last_seq - max((taken["seq"] for taken in subject.snapshots), default=0) > SNAPSHOT_EVERY
    ]


def check_keys(
    connection: Connection, after: str = "", limit: int = BATCH, upto: datetime | None = None
) -> Page:
    """Check up to `limit` idempotency keys made after `after` (ISO 8601), for what check_payments can't see of I7.

    Each leads to a payment of its own merchant; the key of an acceptance was made together with its payment.
    """
    parameters = {
        "after": after or "-infinity",
        "upto": upto,
        "limit": limit,
        "accepting": ACCEPTING,
        "key_within_s": KEY_WITHIN_S,
    }
    rows = connection.exec_driver_sql(_KEYS, parameters).mappings().all()
    found = [violation for row in rows for violation in _wrong_key(row)]
    cursor = rows[-1]["created_at"].isoformat() if len(rows) == limit else None
    return Page("keys", [row["payment_id"] for row in rows], found, cursor)


def _wrong_key(key: RowMapping) -> list[Violation]:
    evidence = {name: key[name] for name in ("merchant_id", "route", "key")}
    evidence["created_at"] = rfc3339(key["created_at"])
    if key["payments_merchant"] is None:
        summary = "an idempotency key leads to no payment"
    elif key["payments_merchant"] != key["merchant_id"]:
        summary = "an idempotency key leads to another merchant's payment"
    elif key["made_apart"]:
        summary = "an idempotency key was made apart from its payment"
        evidence["payment_created_at"] = rfc3339(key["payment_created_at"])
    else:
        return []
    return gather(key["payment_id"], [Finding("I7", summary, {"key": evidence})])


def how_many(connection: Connection, after: str) -> int:
    """The number of payments after `after`. It reads an index to its end, so call it for people, not on a hot path."""
    statement = "SELECT count(*) FROM payments WHERE id > %(after)s"
    return int(connection.exec_driver_sql(statement, {"after": after}).scalar_one())


def pages(
    database: Database,
    bounds: Bounds | None = None,
    *,
    after: str = "",
    batch: int = BATCH,
    whole: bool = False,
) -> Iterator[Page]:
    """Every payment after `after`, and every key: all that is there now, in batches. Raises DatabaseUnavailable."""
    cursor: str | None = after
    with database.read() as connection:
        upto = connection.exec_driver_sql("SELECT max(id) FROM payments").scalar_one()
        now = connection.exec_driver_sql("SELECT statement_timestamp()").scalar_one()
    while cursor is not None:
        with database.read() as connection:
            page = check_payments(connection, cursor, batch, bounds, upto, whole=whole)
        yield page
        cursor = page.cursor
    cursor = ""
    while cursor is not None:
        with database.read() as connection:
            page = check_keys(connection, cursor, batch, now)
        yield page
        cursor = page.cursor
