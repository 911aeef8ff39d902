"""Jobs as they stand: what a caller polls after accepting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import fields
from sqlalchemy import ColumnElement, Connection, func, not_, select

from aegis_worker.domain.modes import Owner
from aegis_worker.domain.reviews import ReviewKind
from aegis_worker.domain.wishes import without_hooks_words
from aegis_worker.persistence.tables.payments import jobs

from .page import Page, newest_first, of_owner


class StoredJob(Struct, frozen=True):
    """One asynchronous operation on one payment. `run_at`: not before then. `reason`: why it waits or is in review, for its
    owner without the words of hooks; `review_kind`: what for, None for a doubt.
    """

    id: str
    payment_id: str
    merchant_id: str
    operation: str
    queue: str
    status: str
    run_at: datetime
    claim_count: int
    reason: str | None
    result: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    request: Mapping[str, Any] | None = None
    review_kind: ReviewKind | None = None


# Conditions that a status implies, written as in the indexes, which don't name the status. They let the planner use them.
_ACTIVE = (jobs.c.finished_at.is_(None), not_(jobs.c.in_review))
_INDEXED_AS: Mapping[str, tuple[ColumnElement[bool], ...]] = {
    "queued": _ACTIVE,
    "running": _ACTIVE,
    "waiting": _ACTIVE,
    "review": (jobs.c.in_review,),
}

_COLUMNS = [jobs.c[field.name] for field in fields(StoredJob)]


def get_job(connection: Connection, owner: Owner | None, job_id: str) -> StoredJob | None:
    """One job, or None where this owner has none with that id."""
    statement = of_owner(select(*_COLUMNS).where(jobs.c.id == job_id), jobs, owner)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _reader_for(owner)(cast("Mapping[str, Any]", row))


def open_jobs(connection: Connection, payment_ids: Sequence[str]) -> Mapping[str, StoredJob]:
    """The open job of each of the payments that has one; of any merchant."""
    is_open = jobs.c.status.in_(("queued", "running", "waiting", "review"))
    found = connection.execute(
        select(*_COLUMNS).where(jobs.c.payment_id.in_(payment_ids), is_open)
    ).mappings()
    return {row["payment_id"]: _stored(cast("Mapping[str, Any]", row)) for row in found}


def list_jobs(
    connection: Connection,
    owner: Owner | None,
    *,
    status: str | None = None,
    payment_id: str | None = None,
    review_kind: str | None = None,
    limit: int,
    starting_after: str | None = None,
) -> Page[StoredJob]:
    """Jobs, newest first; only those of one payment, in one status or in review for one reason if those are given."""
    statement = of_owner(select(*_COLUMNS), jobs, owner)
    if status is not None:
        statement = statement.where(jobs.c.status == status, *_INDEXED_AS.get(status, ()))
    if payment_id is not None:
        statement = statement.where(jobs.c.payment_id == payment_id)
    if review_kind is not None:
        kind = func.coalesce(jobs.c.review_kind, "doubt")
        statement = statement.where(jobs.c.in_review, kind == review_kind)
    read = _reader_for(owner)
    return newest_first(connection, statement, jobs.c.id, read, limit=limit, starting_after=starting_after)


def _reader_for(owner: Owner | None) -> Callable[[Mapping[str, Any]], StoredJob]:
    return _stored if owner is None else _told


def _told(row: Mapping[str, Any]) -> StoredJob:
    reason = row["reason"]
    return _stored({**row, "reason": None if reason is None else without_hooks_words(reason)})


def _stored(row: Mapping[str, Any]) -> StoredJob:
    return StoredJob(**row)
