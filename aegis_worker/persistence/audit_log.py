"""The audit log: who decided what. Entries are only ever appended, and each holds the hash of the one before it.

The hash of an entry is SHA-256 over the hash of the entry before it (32 zero bytes before the first) and the entry's
canonical JSON: the fields seq, at, actor, action, payment_id and details, keys sorted, no spaces, UTF-8. Changing or
removing an entry breaks the chain there. Cutting off the end leaves a valid chain, so note the newest hash elsewhere now
and then: if `verify` no longer finds it, the end was cut off.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from aegis_worker.domain.text import is_line
from aegis_worker.errors import InvalidReason
from aegis_worker.observability.redaction import redact_text

from .database import Database
from .tables.oversight import audit_log

# One writer at a time, because each entry needs the hash of the one before. The lock is held from the append to the end
# of the transaction, so append last in a transaction.
_LOCK = 0x6165_6769_7301  # "aegis", 1
SHORTEST_REASON, LONGEST_REASON = 3, 500
_BEFORE_THE_FIRST = bytes(32)
_PAGE = 1000
MOST_SEARCHED = 50_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision: who did what, when by PostgreSQL's clock, and why."""

    seq: int
    at: datetime
    actor: str
    action: str
    payment_id: str | None
    details: Mapping[str, Any]
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the chain was followed. `broken_at` is the seq of the first entry that does not fit; `why` says why not."""

    entries: int
    newest: bytes
    broken_at: int | None = None
    why: str | None = None


def append(
    connection: Connection,
    *,
    actor: str,
    action: str,
    details: Mapping[str, Any],
    payment_id: str | None = None,
) -> None:
    """Add an entry in the transaction of the change that it records, as the last statement of that transaction.

    `details` holds strings, integers, booleans, None, lists and objects of them; no floats, which JSONB may spell
    differently from how they were hashed. Raises LockTimeout if another transaction that appended does not end.
    """
    _refuse_floats(details)
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": _LOCK})
    before = connection.execute(
        select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)
    ).one_or_none()
    seq, previous = (before.seq + 1, bytes(before.hash)) if before else (1, _BEFORE_THE_FIRST)
    at = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    row = {
        "seq": seq,
        "at": at,
        "actor": actor,
        "action": action,
        "payment_id": payment_id,
        "details": dict(details),
    }
    connection.execute(audit_log.insert().values(**row, previous_hash=previous, hash=_hash(previous, row)))


def checked_reason(reason: str) -> str:
    """A person's reason in the form in which it is kept. Raises InvalidReason."""
    reason = reason.strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON or not is_line(reason):
        raise InvalidReason(
            f"say why, in {SHORTEST_REASON} to {LONGEST_REASON} characters of one line: it is kept in the audit log"
        )
    return redact_text(reason)


def list_entries(
    connection: Connection,
    *,
    limit: int,
    before_seq: int | None = None,
    payment_id: str | None = None,
    actor: str | None = None,
    action: str | None = None,
) -> Sequence[Entry]:
    """Entries, newest first; only those of one payment, of actors whose name holds `actor`, or of one action if those are
    given. Actors and actions are looked for in the newest MOST_SEARCHED entries, because no index has them.
    """
    columns = audit_log.c
    newest = select(audit_log).order_by(columns.seq.desc())
    if before_seq is not None:
        newest = newest.where(columns.seq < before_seq)
    if payment_id is not None:
        newest = newest.where(columns.payment_id == payment_id)
    if actor is None and action is None:
        return [_entry(row) for row in connection.execute(newest.limit(limit)).mappings()]
    searched = newest.limit(MOST_SEARCHED).subquery("searched")
    statement = select(searched).order_by(searched.c.seq.desc()).limit(limit)
    if actor is not None:
        statement = statement.where(searched.c.actor.contains(actor, autoescape=True))
    if action is not None:
        statement = statement.where(searched.c.action == action)
    return [_entry(row) for row in connection.execute(statement).mappings()]


def verify_newest(connection: Connection, *, most: int) -> Verdict:
    """Follow the chain over the newest `most` entries, which is quick enough for a page. `verify` follows all of it."""
    page = list(reversed(list_entries(connection, limit=most)))
    newest = page[0].previous_hash if page else _BEFORE_THE_FIRST
    for number, entry in enumerate(page):
        if (why := _fault(entry, page[0].seq + number, newest)) is not None:
            return Verdict(number, newest, entry.seq, why)
        newest = entry.hash
    return Verdict(len(page), newest)


def verify(database: Database) -> Verdict:
    """Follow the chain in pages from the first entry to the newest or to the first break. Raises DatabaseUnavailable."""
    entries, newest = 0, _BEFORE_THE_FIRST
    while page := _page_after(database, entries):
        for entry in page:
            if (why := _fault(entry, entries + 1, newest)) is not None:
                return Verdict(entries, newest, entry.seq, why)
            entries, newest = entry.seq, entry.hash
    return Verdict(entries, newest)


def _page_after(database: Database, seq: int) -> list[Entry]:
    statement = select(audit_log).where(audit_log.c.seq > seq).order_by(audit_log.c.seq).limit(_PAGE)
    with database.read() as connection:
        return [_entry(row) for row in connection.execute(statement).mappings()]


def _fault(entry: Entry, expected_seq: int, previous: bytes) -> str | None:
    if entry.seq != expected_seq:
        return f"entry {expected_seq} is missing"
    if entry.previous_hash != previous:
        return "it is not chained to the entry before it"
    fields = ("seq", "at", "actor", "action", "payment_id", "details")
    if entry.hash != _hash(previous, {name: getattr(entry, name) for name in fields}):
        return "its content is not what was hashed"
    return None


def _hash(previous: bytes, row: Mapping[str, Any]) -> bytes:
    canonical = {**row, "at": row["at"].astimezone(UTC).isoformat(timespec="microseconds")}
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(previous + text.encode()).digest()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("details of the audit log hold no floats")
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for item in value:
        _refuse_floats(item)


def _entry(row: Mapping[Any, Any]) -> Entry:
    hashes = {name: bytes(row[name]) for name in ("previous_hash", "hash")}
    return Entry(**{**row, **hashes})
