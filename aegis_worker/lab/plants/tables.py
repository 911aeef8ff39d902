"""Faults in the statements that claim jobs and record changes, as PostgreSQL runs them.

The explorer's model tables have the same faults under the same names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace as with_fields

from msgspec.structs import replace
from sqlalchemy import Connection

from aegis_worker.domain.changes import Change
from aegis_worker.persistence import claims, job_store
from aegis_worker.persistence import record as recording
from aegis_worker.persistence.prepared import Prepared
from aegis_worker.persistence.record import record

from .patching import name_in

_FENCE = "c.lease_epoch = CASE j.status WHEN 'running' THEN j.lease_epoch END"
_LEASE = "lease_until < statement_timestamp()"
_TO_DELIVER = "generate_series(m.version_before + 1, m.version) seq"


def _changed(statement: Prepared, name: str, old: str, new: str) -> Prepared:
    if old not in statement.sql:
        raise AssertionError(f"the statement {statement.name!r} has nothing like {old!r} any more")
    return with_fields(statement, name=f"{statement.name}_{name}", sql=statement.sql.replace(old, new))


@contextmanager
def no_fence() -> Iterator[None]:
    """Whoever has claimed a job at some time may write for it."""
    unfenced = _changed(recording._RECORD, "unfenced", _FENCE, "j.status = 'running'")
    with name_in(recording, "_RECORD", unfenced):
        yield


@contextmanager
def claims_ignore_leases() -> Iterator[None]:
    """A job that another worker holds may be claimed."""
    with name_in(claims, "_CLAIM", _changed(claims._CLAIM, "unleased", _LEASE, "status = 'running'")):
        yield


@contextmanager
def event_missing_from_the_outbox() -> Iterator[None]:
    """Of what is written together the last event is not to be delivered."""
    short = _changed(
        recording._RECORD, "untold", _TO_DELIVER, "generate_series(m.version_before + 1, m.version - 1) seq"
    )
    with name_in(recording, "_RECORD", short):
        yield


@contextmanager
def attempt_after_the_call() -> Iterator[None]:
    """The attempt is written together with its answer, and not before the call."""
    kept: dict[tuple[str, int], Change] = {}

    def late(connection: Connection, changes: Sequence[Change], *, lease_s: float) -> set[str]:
        openings = [
            replace(
                kept.pop(_claim(change)),
                payment=change.payment,
                events=(),
                version_before=change.payment.version,
                number=change.number ^ 1,  # otherwise the write would be taken for a repeat of itself
            )
            for change in changes
            if change.answered and _claim(change) in kept
        ]
        kept.update({_claim(change): change for change in changes if change.opened})
        record(connection, openings, lease_s=lease_s)
        return record(connection, [replace(change, opened=None) for change in changes], lease_s=lease_s)

    with name_in(job_store, "record", late):
        yield


def _claim(change: Change) -> tuple[str, int]:
    """Another worker, with a claim of its own, knows nothing of what this one was about to write."""
    return change.job_id, change.lease_epoch
