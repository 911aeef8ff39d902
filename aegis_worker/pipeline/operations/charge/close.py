"""What the answer to closing the door means (design D16). Pure.

Only two things let the payment go on: the gateway has cancelled what was open, or, where it refuses to, it says of the step
itself how that ended. "Already paid" is then the payment's success.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Pending,
    Unknown,
)
from aegis_worker.domain.payment import Payment, resolved
from aegis_worker.pipeline.work import Answer, Policy, Settled, Work

from ..answers import ask_later, end_attempt, recheck_in_s
from ..steps import ask
from ..unsettled import not_found, not_sent, unknown
from .facts import described
from .plan import another_try


def settle_close(work: Work, answer: Answer, policy: Policy) -> Settled:
    """What the answer to the cancelling, or to a question about it, means."""
    return _SETTLE[type(answer.outcome)](work, answer.outcome, answer, policy)


def abandon(work: Work, answer: Answer, policy: Policy) -> Settled:
    """The end of a step whose payer never came back, or need not, now that nobody can pay it any more."""
    code = _because(work.payment)
    error = describe_error(code, gateway=work.subject.gateway, gateway_code=None, message="")
    heard = replace(answer, looked_up=True)
    again_in_s = recheck_in_s(work, policy)
    work, ended = end_attempt(
        work, heard, AttemptStatus.DECLINED, StoredOutcome.of_error(error), recheck_in_s=again_in_s
    )
    facts = resolved(work.payment, "nobody can pay it any more")
    return Settled(work, ended, facts, another_try(work, policy))


def _because(payment: Payment) -> str:
    if payment.is_erased:
        return "payer_erased"
    return "merchant_cancelled" if payment.cancelling else "payer_abandoned"


def _closed(work: Work, outcome: Approved, answer: Answer, policy: Policy) -> Settled:
    said = StoredOutcome(captured=outcome.captured)
    work, ended = end_attempt(work, answer, AttemptStatus.APPROVED, said, outcome.gateway_ref)
    work = _on_the_step(work)
    if work.subject.status is AttemptStatus.ACTION_REQUIRED:
        return replace(abandon(work, answer, policy), beside=ended)
    return Settled(work, ended, [], another_try(work, policy))


def _refused(work: Work, outcome: Declined, answer: Answer, policy: Policy) -> Settled:
    """It was paid, or has ended some other way: the step itself is asked about, and its answer decides."""
    said = described(work, outcome)
    work, ended = end_attempt(work, answer, AttemptStatus.DECLINED, said)
    work = _on_the_step(work)
    return Settled(work, ended, [], ask(work))


def _pending(work: Work, outcome: Pending | ActionRequired, answer: Answer, policy: Policy) -> Settled:
    reason = "the gateway has yet to cancel it"
    work, ended = end_attempt(work, answer, AttemptStatus.PENDING, StoredOutcome(reason=reason))
    return ask_later(work, ended, [], reason, policy)


def _not_found(work: Work, outcome: NotFound, answer: Answer, policy: Policy) -> Settled:
    at_the_end = f"{work.subject.gateway} has not cancelled what the payer could still pay there"
    return not_found(work, answer, policy, "not cancelled yet", at_the_end)


def _on_the_step(work: Work) -> Work:
    """The work with the closing out of the way: the step that it closed decides what is next."""
    *others, close = work.attempts
    return replace(work, attempts=(close, *others), position=-1)


_SETTLE: dict[type, Callable[[Work, Any, Answer, Policy], Settled]] = {
    Approved: _closed,
    Declined: _refused,
    ActionRequired: _pending,
    Pending: _pending,
    NotSent: not_sent,
    Unknown: unknown,
    NotFound: _not_found,
}
