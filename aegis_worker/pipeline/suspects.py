"""Jobs that may be what kills their worker: each is worked on alone, so that it takes no others along."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_worker.domain.jobs import ClaimedJob

# One death may be chance: it leaves all jobs of that worker behind, and working on each alone would be slow.
_DEATHS = 2


def is_suspect(job: ClaimedJob, poison_cap: int) -> bool:
    """Left so often that its workers seem to die of it; after `poison_cap` times a person is asked."""
    return job.claim_count >= min(_DEATHS, poison_cap)


def set_apart(
    jobs: Sequence[ClaimedJob], *, in_company: bool, poison_cap: int
) -> tuple[list[ClaimedJob], list[ClaimedJob]]:
    """Which of the claimed jobs to work on now, and which to hand back: one suspect, or all others.

    `in_company`: calls for other jobs are in flight in this process, so that no suspect may join them.
    """
    suspects = [job for job in jobs if is_suspect(job, poison_cap)]
    if not suspects:
        return list(jobs), []
    now = [job for job in jobs if job not in suspects] if in_company else suspects[:1]
    return now, [job for job in jobs if job not in now]
