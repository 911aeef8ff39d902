"""What an answer leaves that settles nothing of a call that is no charge: a doubt, a repeat, or a person's look. Pure."""

from __future__ import annotations

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.outcomes import NotSent, Unknown

from ..work import Answer, Policy, Rest, Settled, Work
from .absence import Missing, after_not_found
from .answers import ask_later, doubt, end_attempt, send_again
from .steps import review


def not_sent(work: Work, outcome: NotSent, answer: Answer, policy: Policy) -> Settled:
    """It did not leave. What left before is in doubt all the same."""
    status = AttemptStatus.NOT_SENT if work.subject.sends == 1 else AttemptStatus.UNKNOWN
    work, ended = end_attempt(work, answer, status, StoredOutcome(reason=outcome.reason))
    wait_s = outcome.retry_after_s or 0.0
    return ask_later(work, ended, [], outcome.reason, policy, wait_at_least_s=wait_s)


def unknown(work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
    """Nobody knows what became of it. A look-up without an answer says nothing new about the call."""
    status = work.subject.status if answer.looked_up else AttemptStatus.UNKNOWN
    work, ended = end_attempt(work, answer, status, doubt(work, outcome.reason, stored=outcome.stored))
    return ask_later(work, ended, [], outcome.reason, policy)


def not_found(work: Work, answer: Answer, policy: Policy, so_far: str, at_the_end: str) -> Settled:
    """Its gateway knows nothing of it: it is repeated while that is safe, then asked about again, then a person looks.

    `so_far`: what stands on the attempt meanwhile. `at_the_end`: why a person has to look.
    """
    follows = after_not_found(work, work.subject, answer.asked_at_s)
    if follows is Missing.SEND_AGAIN:
        return send_again(work, answer, policy, [])
    work, ended = end_attempt(work, answer, work.subject.status, doubt(work, so_far))
    if follows is Missing.ASK_AGAIN:
        return ask_later(work, ended, [], so_far, policy)
    rest = review(work, at_the_end)
    return Settled(work, ended, rest.facts, Rest(rest.job))
