"""The faults of `tables`, in the explorer's tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from aegis_worker.domain.changes import Change, OpenAttempt
from aegis_worker.lab.explore import charge, claiming, explorer, hands, inbox, rows_disputes, writes
from aegis_worker.lab.explore.rows import JobRow, Rows, written

from .decisions import as_if_asked_last, taken_for_followed
from .patching import name_in


@contextmanager
def no_send_deadline() -> Iterator[None]:
    """A call may leave however long ago it was decided on."""
    with name_in(hands, "send_until_s", lambda *facts: math.inf):
        yield


@contextmanager
def silent_gateway_given_up() -> Iterator[None]:
    """A charge that was in doubt is let go of where its gateway told nothing by the end of the rechecks."""
    with name_in(charge, "is_left_in_doubt", lambda *facts: False):
        yield


@contextmanager
def no_fence() -> Iterator[None]:
    """Whoever has claimed a job at some time may write for it."""

    def may_write(rows: Rows, change: Change) -> bool:
        is_running = rows.job is not None and rows.job.id == change.job_id and rows.job.status == "running"
        return is_running and not _is_opened_before(rows, change)

    with name_in(writes, "has_fence", may_write):
        yield


def _is_opened_before(rows: Rows, change: Change) -> bool:
    """Whether a unique index refuses the change, as two attempts of one number would be."""
    opened = change.opened
    known = [(row.attempt.operation, row.attempt.number) for row in rows.attempts]
    return opened is not None and (opened.operation, opened.number) in known


@contextmanager
def claims_ignore_leases() -> Iterator[None]:
    """A job that another worker holds may be claimed."""

    def is_due(job: JobRow | None, now: float) -> bool:
        return job is not None and job.status != "review" and job.run_at <= now

    with name_in(claiming, "is_due", is_due), name_in(explorer, "is_due", is_due):
        yield


@contextmanager
def event_missing_from_the_outbox() -> Iterator[None]:
    """Of what is written together the last event is not to be delivered."""

    def one_untold(rows: Rows, change: Change, *, lease_s: float, now: float) -> Rows:
        after = written(rows, change, lease_s=lease_s, now=now)
        return replace(after, outbox=after.outbox - 1) if change.events else after

    with name_in(writes, "written", one_untold):
        yield


@contextmanager
def attempt_after_the_call() -> Iterator[None]:
    """The attempt is written together with its answer, and not before the call."""
    kept: dict[tuple[str, int], OpenAttempt] = {}

    def late(rows: Rows, change: Change, *, lease_s: float, now: float) -> Rows:
        answered, opened = change.answered, change.opened
        if opened is not None:
            kept[opened.operation, opened.number] = opened
        known = [(row.attempt.operation, row.attempt.number) for row in rows.attempts]
        if answered is not None and (answered.operation, answered.number) not in known:
            opening = kept[answered.operation, answered.number]
            first = replace(change, events=(), answered=None, beside=None, opened=opening, entities=())
            first = replace(first, job=replace(change.job, status="running", follow_up=None), hands_on=False)
            rows = written(rows, first, lease_s=lease_s, now=now)
        return written(rows, replace(change, opened=None), lease_s=lease_s, now=now)

    with name_in(writes, "written", late):
        yield


@contextmanager
def older_answer_about_a_dispute() -> Iterator[None]:
    """What a gateway was asked earlier about a dispute undoes what it was asked later."""
    with name_in(rows_disputes, "heard", as_if_asked_last):
        yield


@contextmanager
def event_forgotten_behind_a_job() -> Iterator[None]:
    """An event that comes while another job of its payment is open counts as followed."""
    with name_in(inbox, "behind_a_job", taken_for_followed):
        yield
