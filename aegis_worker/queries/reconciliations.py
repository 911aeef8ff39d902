"""Runs of reconciliation as they were written down, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import fields
from sqlalchemy import Connection, select

from aegis_worker.persistence.tables.oversight import reconciliation_runs

from .page import Page, newest_first


class StoredRun(Struct, frozen=True):
    """One run. `found`, `fixed`: how many of each kind; `mismatches`: where we and a gateway disagreed, at most 500.

    `since`: from when on ended payments were compared with gateways; None where none were.
    """

    id: str
    trigger: str
    dry_run: bool
    since: datetime | None
    found: Mapping[str, int]
    fixed: Mapping[str, int]
    mismatches: Sequence[Mapping[str, Any]]
    started_at: datetime
    finished_at: datetime | None


_COLUMNS = [reconciliation_runs.c[field.name] for field in fields(StoredRun)]


def list_runs(connection: Connection, *, limit: int, starting_after: str | None = None) -> Page[StoredRun]:
    """A page of runs."""
    return newest_first(
        connection,
        select(*_COLUMNS),
        reconciliation_runs.c.id,
        lambda row: StoredRun(**row),
        limit=limit,
        starting_after=starting_after,
    )


def get_run(connection: Connection, run_id: str) -> StoredRun | None:
    """One run; None where there is none of this id."""
    row = connection.execute(select(*_COLUMNS).where(reconciliation_runs.c.id == run_id)).mappings().first()
    return None if row is None else StoredRun(**row)
