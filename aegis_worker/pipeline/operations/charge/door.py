"""The door behind a payment (design D16). Pure.

A payer who was sent away, or a call that was believed to be lost, could still become a charge at the gateway that a payment
leaves. So before it goes to another gateway or ends, what could be charged is cancelled there, by an attempt of its own.
Until the outcome of that is definite, nothing goes elsewhere.
"""

from __future__ import annotations

from datetime import datetime

from aegis_worker.domain.attempts import Attempt, AttemptStatus
from aegis_worker.domain.changes import AnswerAttempt, JobChange
from aegis_worker.domain.charges import hop_reference
from aegis_worker.domain.outcomes import ActionRequired, Operation, charges
from aegis_worker.domain.payment import Fact
from aegis_worker.pipeline.work import Policy, Rest, Send, Settled, Work
from aegis_worker.resilience.backoff import rung_at_s

from ..requests import new_call
from ..steps import review


def payer_has_until_s(work: Work, policy: Policy) -> float:
    """Until when the payer may act, in seconds since 1970. What an older version wrote may have no end."""
    ends_at = (work.payment.next_action or {}).get("expires_at")
    if ends_at is not None:
        return datetime.fromisoformat(ends_at).timestamp()
    return work.subject.sent_at_s + work.job.since_1970_s + policy.payer_wait_s


def is_over(work: Work, policy: Policy) -> bool:
    """Whether the payer's time is over: the merchant's cancel ends it, too."""
    return work.payment.is_called_off or work.time_of_day_s >= payer_has_until_s(work, policy)


def new_end_s(work: Work, answer: ActionRequired, policy: Policy) -> float:
    """The same of an action that has just come: the gateway's own end, or ours where it has none."""
    if answer.expires_at is not None:
        return answer.expires_at.timestamp()
    return work.time_of_day_s + policy.payer_wait_s


def wait_for_payer(
    work: Work, ended: AnswerAttempt, facts: list[Fact], until_s: float, policy: Policy
) -> Settled:
    """Ask again on the ladder's rungs, the last one again and again, and once more when the payer's time is over.

    What passes is time and no doubt, so these look-ups leave the ladder to the doubts that may follow.
    """
    left_s = 0.0 if work.payment.is_called_off else max(0.0, until_s - work.time_of_day_s)
    rung_s = rung_at_s(work.now_s - work.subject.sent_at_s, policy.verify_ladder_s)
    waiting = JobChange("waiting", "verify", run_in_s=min(rung_s, left_s), reason="the payer has to act")
    return Settled(work, ended, facts, Rest(waiting))


def close_of(work: Work, number: int) -> Attempt | None:
    """The attempt that closes the door of this hop, where there is one."""
    return next(
        (one for one in work.attempts if (one.operation, one.number) == (Operation.CLOSE, number)), None
    )


def open_door(work: Work, because: str) -> Send | Rest | None:
    """What has to be done before the payment may leave the gateway of its latest step; None where it may.

    Where the gateway refused to cancel and does not say that it is over either, a person has to look.
    """
    latest = work.latest
    if latest is None or not _is_left_open(work, latest):
        return None
    close = close_of(work, latest.number)
    if close is not None and close.status is AttemptStatus.APPROVED:
        return None
    if close is not None:
        why = close.outcome.gateway_code or close.status.value
        return review(
            work, f"{latest.gateway} does not cancel what the payer could still pay there: {why}; {because}"
        )
    return new_call(
        work,
        Operation.CLOSE,
        latest.number,
        latest.gateway,
        account=latest.account,
        decision={"because": because},
    )


def _is_left_open(work: Work, latest: Attempt) -> bool:
    """Whether it could still become a charge there, although we have given it up or are about to."""
    able = work.route.capabilities[latest.gateway]
    if not able.closes or hop_reference(work.attempts, latest) is None:
        return False
    if latest.status is AttemptStatus.DECLINED:
        return able.reopens and latest.outcome.action is not None
    if latest.status is AttemptStatus.NOT_SENT:
        # It was sent, and only not found since: the call may lie in a worker that sleeps.
        return charges(latest.operation) and latest.not_found_count > 0
    return latest.status is AttemptStatus.ACTION_REQUIRED
