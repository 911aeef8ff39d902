"""For how long a payment rests before its next try: for its time, or for a gateway. Pure."""

from __future__ import annotations

import math

from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.scheduling import too_early_s
from aegis_worker.domain.screening import screening_of
from aegis_worker.pipeline.work import Policy, Rest, Work


def wait_for_gateway(work: Work, retry_in_s: float, why: str, policy: Policy) -> Rest | None:
    """Rest until a gateway may take it, or for as long as it may wait at all; None once that has lasted too long."""
    left_s = policy.route_wait_s - waited_s(work)
    if left_s <= 0:
        return None
    return Rest(JobChange("waiting", "payments", run_in_s=min(retry_in_s, left_s), reason=why))


def waited_s(work: Work) -> float:
    """For how long nothing has happened to the payment. A payer may take longer to authenticate than it may wait."""
    latest = work.latest
    if latest is None:
        at = work.payment.terms.scheduled_at
        due_at_s = -math.inf if at is None else at.timestamp() - work.job.since_1970_s
        return work.now_s - max(work.job.made_at_s, due_at_s, _approved_at_s(work))
    return 0.0 if latest.answered_at_s is None else work.now_s - latest.answered_at_s


def _approved_at_s(work: Work) -> float:
    """When a person let it go on, of this process's clock. The wait for that is no gateway's."""
    screening = screening_of(work.payment)
    at_s = screening.approved_at_s if screening is not None else None
    return -math.inf if at_s is None else at_s - work.job.since_1970_s


def too_early(work: Work) -> Rest | None:
    """The rest until the time that the payment is scheduled for; whoever makes its job due earlier has not moved that."""
    early_s = too_early_s(work.payment.terms.scheduled_at, work.time_of_day_s)
    if early_s == 0.0:
        return None
    return Rest(JobChange("waiting", "payments", run_in_s=early_s, reason="its time has not come"))
