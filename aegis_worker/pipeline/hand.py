"""The jobs that a run holds, until they are done, handed back or lost.

A worker that dies leaves its jobs to the end of their leases. A job that several workers began and left goes to a person,
because they seem to die of it. A run that lives but could not write must give its jobs back: at its end, or, while
PostgreSQL is away, at the beginning of the process's next run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence

import structlog

from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import LEASES_LOST

from . import traces
from .ports import JobStore

log = structlog.get_logger(__name__)

# Wait a second: whatever else moved the payment meanwhile has committed by then.
_DELAY_S = 1.0


class Hand:
    """What one run holds, by job. `owed`: what earlier runs of this process could not give back."""

    def __init__(self, store: JobStore, owed: deque[ClaimedJob]) -> None:
        self._store, self._owed = store, owed
        self._jobs: dict[str, ClaimedJob] = {}

    def take(self, jobs: Sequence[ClaimedJob]) -> None:
        """The run has claimed these. A job that it held already was claimed a second time after its lease had ended."""
        self.lost([job.id for job in jobs if job.id in self._jobs])
        self._jobs.update((job.id, job) for job in jobs)
        traces.taken(jobs)

    def begin(self, jobs: Sequence[ClaimedJob]) -> None:
        """Mark the jobs that an earlier worker left, so that our death would count as one more. Raises DatabaseUnavailable.

        A job that nobody left gets its mark in the statement that opens its attempt, at no cost.
        """
        suspicious = [job for job in jobs if job.left_behind or job.claim_count]
        if suspicious:
            self._store.begin(suspicious)

    def mark(self, jobs: Sequence[ClaimedJob]) -> None:
        """Mark those that `begin` left unmarked, because something is done about them that opens no attempt. Raises
        DatabaseUnavailable.
        """
        unmarked = [job for job in jobs if not (job.left_behind or job.claim_count)]
        if unmarked:
            self._store.begin(unmarked)

    def done(self, job_ids: Iterable[str]) -> None:
        """The run has nothing more to do with these."""
        done = list(job_ids)
        for job_id in done:
            self._jobs.pop(job_id, None)
        traces.left(done, "done")

    def hand_back(self, jobs: Sequence[ClaimedJob], delay_s: float) -> None:
        """Nothing was done about these; they are due again after `delay_s`. Raises DatabaseUnavailable."""
        if jobs:
            self._store.hand_back(jobs, delay_s=delay_s)
            traces.left((job.id for job in jobs), "handed_back")
            self.done(job.id for job in jobs)

    def lost(self, job_ids: Iterable[str]) -> None:
        """The leases of these ended. Take back the deaths that this counts: we were slow, and did not die."""
        jobs = [job for job in (self._jobs.pop(job_id, None) for job_id in job_ids) if job is not None]
        if not jobs:
            return
        traces.left((job.id for job in jobs), "lost")
        METER.increment(LEASES_LOST, by=len(jobs))
        try:
            self._store.excuse(jobs)
        except DatabaseUnavailable:
            self._owed.extend(jobs)

    def pay(self) -> None:
        """Give back what earlier runs owe; what can't be yet is owed on."""
        if self._owed:
            jobs = [self._owed.popleft() for _ in range(len(self._owed))]
            self._give_back(jobs)

    def empty(self, but: Collection[str] = ()) -> list[str]:
        """Give back what is left at the end of a run that could not write all that it did, but for these jobs, which are
        still being called about; the ids of the payments given back.
        """
        jobs = [job for job_id, job in self._jobs.items() if job_id not in but]
        self._jobs = {job_id: job for job_id, job in self._jobs.items() if job_id in but}
        if jobs:
            traces.left((job.id for job in jobs), "handed_back")
            self._give_back(jobs)
        return [job.payment.id for job in jobs]

    def _give_back(self, jobs: list[ClaimedJob]) -> None:
        try:
            self._store.hand_back(jobs, delay_s=_DELAY_S)
            log.warning("given back without an end", jobs=len(jobs))
        except DatabaseUnavailable as error:
            log.warning("not given back yet", jobs=len(jobs), error=str(error))
            self._owed.extend(jobs)
