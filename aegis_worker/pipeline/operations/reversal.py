"""Give a charge too many back: a void or refund of one attempt, as an operation like every other. Pure.

The payment has ended and does not change; what becomes of the reversal stands on its attempt and in the last event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.payment import duplicate_reversed

from ..work import Answer, Policy, Rest, Settled, Step, Work
from .absence import may_repeat_unasked
from .answers import LOOK_AGAIN, ask_later, end_attempt, send_again
from .requests import new_call
from .room import Room
from .steps import ask, review, unreachable_because
from .unsettled import not_found, not_sent, unknown

_HOW = {Operation.VOID: "released", Operation.REFUND: "refunded"}


class Reversal(Room):
    """A charge too many is given back."""

    def step(self, work: Work, policy: Policy) -> Step:
        """Open the attempt, or ask about the one that there is."""
        return _step(work)

    def settle(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        """What the answer to the reversal means."""
        return _SETTLE[type(answer.outcome)](work, answer.outcome, answer, policy)

    def waits_for(self, operation: str) -> str | None:
        """What its waiting job waits to do."""
        return f"a charge too many is given back ({operation})"


def _step(work: Work) -> Step:
    charge, operation = _charge(work), Operation(work.job.operation)
    charged = next(attempt for attempt in work.attempts if attempt.number == charge["number"])
    unreachable = unreachable_because(work, charged)
    if unreachable is not None:
        return review(work, f"{charge['gateway']} holds a charge too many: {unreachable}")
    for position, attempt in enumerate(work.attempts):
        if (attempt.operation, attempt.number) == (operation, charge["number"]):
            return _on_disk[attempt.status](work, position)
    return new_call(
        work,
        operation,
        charge["number"],
        charge["gateway"],
        account=charged.account,
        decision={"because": f"gives back {charge['gateway_ref']}, a charge too many"},
    )


def _refused(work: Work, position: int) -> Step:
    attempt = work.attempts[position]
    return review(work, f"{attempt.gateway} refused the {attempt.operation.value} of a charge too many")


def _done(work: Work, position: int) -> Step:
    return Rest(JobChange("succeeded"))


_on_disk: dict[str, Callable[[Work, int], Step]] = {
    "SENT": ask,
    "UNKNOWN": ask,
    "PENDING": ask,
    "ACTION_REQUIRED": ask,
    "NOT_SENT": ask,
    "APPROVED": _done,
    "DECLINED": _refused,
}


def _approved(work: Work, outcome: Approved, answer: Answer, policy: Policy) -> Settled:
    charge, operation = _charge(work), work.subject.operation
    said = StoredOutcome(captured=outcome.captured)
    work, ended = end_attempt(work, answer, AttemptStatus.APPROVED, said, outcome.gateway_ref)
    fact = duplicate_reversed(
        work.payment, charge["number"], charge["gateway"], charge["gateway_ref"], _HOW[operation]
    )
    return Settled(work, ended, [fact], Rest(JobChange("succeeded", follow_up=LOOK_AGAIN)))


def _declined(work: Work, outcome: Declined, answer: Answer, policy: Policy) -> Settled:
    subject = work.subject
    refusal = StoredOutcome(code=outcome.code, gateway_code=outcome.gateway_code, message=outcome.message)
    work, ended = end_attempt(work, answer, AttemptStatus.DECLINED, refusal, outcome.gateway_ref)
    if subject.operation is Operation.VOID:
        # It may have been captured meanwhile: a sync looks at what there is now, and may refund it.
        job = JobChange("failed", reason=f"void refused: {outcome.gateway_code}", follow_up=LOOK_AGAIN)
        return Settled(work, ended, [], Rest(job))
    rest = review(work, f"{subject.gateway} refused the refund of a charge too many: {outcome.gateway_code}")
    return Settled(work, ended, rest.facts, Rest(rest.job))


def _pending(work: Work, outcome: Pending | ActionRequired, answer: Answer, policy: Policy) -> Settled:
    reason = "pending at the gateway"
    work, ended = end_attempt(
        work, answer, AttemptStatus.PENDING, StoredOutcome(reason=reason), outcome.gateway_ref
    )
    return ask_later(work, ended, [], reason, policy)


def _unknown(work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
    if outcome.kind is UnknownKind.NO_LOOK_UP and may_repeat_unasked(work, work.subject):
        return send_again(work, answer, policy, [], reason=outcome.reason)
    return unknown(work, outcome, answer, policy)


def _not_found(work: Work, outcome: NotFound, answer: Answer, policy: Policy) -> Settled:
    at_the_end = (
        f"{work.subject.gateway} does not know of the {work.subject.operation.value} of a charge too many"
        " and it can't be repeated safely"
    )
    return not_found(work, answer, policy, "not found yet", at_the_end)


def _charge(work: Work) -> dict[str, Any]:
    return dict((work.job.request or {})["reverse"])


_SETTLE: dict[type, Callable[[Work, Any, Answer, Policy], Settled]] = {
    Approved: _approved,
    Declined: _declined,
    ActionRequired: _pending,
    Pending: _pending,
    NotSent: not_sent,
    Unknown: _unknown,
    NotFound: _not_found,
}
