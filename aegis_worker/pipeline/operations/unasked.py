"""The end of a sync that could not ask about every charge: whoever asked hears why, or a person has to look. Pure."""

from __future__ import annotations

from aegis_worker.domain.attempts import Attempt, AttemptStatus
from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.charges import standing_charges
from aegis_worker.domain.jobs import must_answer_because

from ..work import Rest, Work
from .steps import review


def left_unasked(work: Work, why: str | None) -> Rest:
    """The job's end. `work.said`: what gateways told; `why`: the reason that no more was told.

    A charge too many that stands is a person's. So is one that was in doubt, where the job must not end without an answer.
    """
    unasked = [
        work.attempts[position] for position in standing_charges(work.attempts) if position not in work.said
    ]
    for call in unasked:
        if call.outcome.duplicate:
            return review(
                work, f"{call.gateway} holds a charge too many, its reference {call.gateway_ref}: {why}"
            )
    because = must_answer_because(work.job.request)
    if because is not None and any(_may_stand(call) for call in unasked):
        return review(work, f"{because}: {why}")
    return Rest(JobChange("failed", reason=why))


def _may_stand(call: Attempt) -> bool:
    """Whether it is more than a charge that its gateway refused when it was called for the first time."""
    return call.status is AttemptStatus.APPROVED or call.sends > 1 or call.checks > 0
