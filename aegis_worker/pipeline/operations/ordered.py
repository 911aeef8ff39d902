"""A capture, void or refund that a merchant ordered: one call under a key of its own, and what its answers mean. Pure.

What they have in common: an answer that was lost is asked about under the call's own reference, or the call is repeated
under its own key with the same body, and never given up on a guess. A gateway that decides later ends the job, not the
entity: it is asked again.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from aegis_worker.domain.attempts import AttemptStatus, StoredOutcome
from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.charges import own_charge
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.entities import EntityChange, EntityStatus, Order, entity_failed, order_in, succeeded
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Pending,
    Unknown,
    UnknownKind,
)
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.resilience.backoff import verify_delay_s

from ..work import Answer, Policy, Rest, Settled, Step, Work
from .absence import EVENT_COMES_WITHIN_S, may_repeat_unasked
from .answers import ask_later, doubt, end_attempt, send_again
from .requests import new_call
from .room import Room
from .steps import ask, review, unreachable_because
from .twins import looked_for_in_s
from .unsettled import not_found, not_sent, unknown

# The sweep has an unsettled order asked about again after so long, in case a person has ended its job.
_LOOK_AGAIN_S = 60.0
# What a gateway without look-ups has taken in is looked at again after so long.
_EVENT_MISSED_AFTER_S = 86_400.0
# Refusals of the request itself: the gateway may have given them without a look at what the key stands for.
_REFUSED_AT_THE_DOOR = frozenset({"gateway_misconfigured", "invalid_request"})


class Ordered(Room):
    """The room of an order. Subclasses say what its success means for the payment, and what its job waits to do."""

    def told(self, order: Order, gateway: str, gateway_ref: str | None) -> list[Fact]:
        """The facts of the order's own success."""
        return [succeeded(order, gateway, gateway_ref)]

    def told_failed(self, order: Order, error: Mapping[str, Any]) -> list[Fact]:
        """The facts of its failure."""
        return [entity_failed(order, error)]

    def comes_too_late(self, work: Work) -> bool:
        """Whether the payment has ended meanwhile, so that nothing is to be sent."""
        return False

    def unsent_because(self, work: Work, order: Order) -> str | None:
        """The code with which it fails before anything of it is sent; None where it is to be sent."""
        return "too_late" if self.comes_too_late(work) else None

    def before_sending(self, work: Work, charge: int) -> Step | None:
        """What has to be found out before it may be sent; None where nothing has. `charge`: the position of its charge."""
        return None

    @abstractmethod
    def follows(self, payment: Payment, order: Order) -> list[Fact]:
        """The facts of the payment that the order's success leads to; `payment` as it stood before."""

    def step(self, work: Work, policy: Policy) -> Step:
        """Open the attempt, or go on with the one that there is."""
        order, own = _order(work), own_charge(work.payment, work.attempts)
        if own is None and self.comes_too_late(work):
            return self._unsent(order, None, "too_late")
        if own is None:
            return review(work, "no charge is on record that it could be of")
        charge = work.attempts[own]
        unreachable = unreachable_because(work, charge)
        if unreachable is not None:
            return review(work, f"the charge is at {charge.gateway}: {unreachable}")
        for position, attempt in enumerate(work.attempts):
            if (attempt.operation, attempt.number) == (order.operation, order.attempt):
                return _ON_DISK[attempt.status](work, position)
        forbidden = self.unsent_because(work, order)
        if forbidden is not None:
            return self._unsent(order, charge.gateway, forbidden)
        before = self.before_sending(work, own)
        if before is not None:
            return before
        return new_call(
            work,
            order.operation,
            order.attempt,
            charge.gateway,
            account=charge.account,
            decision={"because": f"{order.kind} {order.id}, of the charge that {charge.gateway} holds"},
            entities=(EntityChange(order, EntityStatus.PENDING, charge.gateway, check_in_s=_LOOK_AGAIN_S),),
        )

    def _unsent(self, order: Order, gateway: str | None, code: str) -> Rest:
        error = describe_error(code, gateway=gateway, gateway_code=None, message="nothing was sent")
        change = EntityChange(order, EntityStatus.FAILED, error=error)
        return Rest(JobChange("failed", reason=code), self.told_failed(order, error), entities=(change,))

    def settle(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        """What the answer means for the entity and its payment."""
        return _SETTLE[type(answer.outcome)](self, work, answer.outcome, answer, policy)


def _order(work: Work) -> Order:
    order = order_in(work.job.request)
    if order is None:
        raise AssertionError("unreachable: the job of an order says which")
    return order


def _ended(work: Work, position: int) -> Step:
    approved = work.attempts[position].status is AttemptStatus.APPROVED
    return Rest(JobChange("succeeded" if approved else "failed"))


_ON_DISK: Mapping[AttemptStatus, Callable[[Work, int], Step]] = {
    AttemptStatus.SENT: ask,
    AttemptStatus.UNKNOWN: ask,
    AttemptStatus.PENDING: ask,
    AttemptStatus.ACTION_REQUIRED: ask,
    AttemptStatus.NOT_SENT: ask,
    AttemptStatus.APPROVED: _ended,
    AttemptStatus.DECLINED: _ended,
}


def _approved(room: Ordered, work: Work, outcome: Approved, answer: Answer, policy: Policy) -> Settled:
    order, gateway = _order(work), work.subject.gateway
    facts = [*room.told(order, gateway, outcome.gateway_ref), *room.follows(work.payment, order)]
    change = EntityChange(order, EntityStatus.SUCCEEDED, gateway, outcome.gateway_ref)
    work, ended = end_attempt(
        work,
        answer,
        AttemptStatus.APPROVED,
        StoredOutcome(captured=outcome.captured),
        outcome.gateway_ref,
        recheck_in_s=looked_for_in_s(work, outcome, policy),
    )
    return Settled(work, ended, facts, Rest(JobChange("succeeded")), entities=(change,))


def _declined(room: Ordered, work: Work, outcome: Declined, answer: Answer, policy: Policy) -> Settled:
    order, subject = _order(work), work.subject
    repeated = not answer.looked_up and subject.sends > 1
    if repeated and outcome.code in _REFUSED_AT_THE_DOOR:
        # What became of the first send stays open: a repeat that is turned away says nothing about it.
        return _unknown(
            room, work, Unknown(f"the repeat was refused: {outcome.gateway_code}"), answer, policy
        )
    error = describe_error(
        outcome.code, gateway=subject.gateway, gateway_code=outcome.gateway_code, message=outcome.message
    )
    change = EntityChange(order, EntityStatus.FAILED, subject.gateway, outcome.gateway_ref, error)
    said = StoredOutcome.of_error(error)
    again_in_s = looked_for_in_s(work, outcome, policy)
    work, ended = end_attempt(
        work, answer, AttemptStatus.DECLINED, said, outcome.gateway_ref, recheck_in_s=again_in_s
    )
    rest = Rest(JobChange("failed", reason=outcome.code))
    return Settled(work, ended, room.told_failed(order, error), rest, entities=(change,))


def _pending(
    room: Ordered, work: Work, outcome: Pending | ActionRequired, answer: Answer, policy: Policy
) -> Settled:
    order, subject = _order(work), work.subject
    reason = "the gateway decides later"
    work, ended = end_attempt(
        work, answer, AttemptStatus.PENDING, StoredOutcome(reason=reason), outcome.gateway_ref
    )
    # The last rung is climbed again and again: only the gateway can end what it has taken in.
    check_in_s = verify_delay_s(work.subject.checks, policy.verify_ladder_s) or policy.verify_ladder_s[-1]
    change = EntityChange(
        order, EntityStatus.PENDING, subject.gateway, outcome.gateway_ref, check_in_s=check_in_s
    )
    rest = Rest(JobChange("succeeded", reason=reason, result={"pending": True}))
    return Settled(work, ended, [], rest, entities=(change,))


def _unknown(room: Ordered, work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
    if outcome.kind is UnknownKind.NO_LOOK_UP:
        return _unasked(work, outcome, answer, policy)
    return unknown(work, outcome, answer, policy)


def _unasked(work: Work, outcome: Unknown, answer: Answer, policy: Policy) -> Settled:
    """The gateway can't be asked: the call is repeated under its key, then its event is waited for, then a person is told.

    What the gateway has taken in may take it days, and keeps no job open.
    """
    subject = work.subject
    if may_repeat_unasked(work, subject):
        return send_again(work, answer, policy, [], reason=outcome.reason)
    reason = f"{subject.gateway} can't be asked, and its event has not come"
    if subject.status is not AttemptStatus.PENDING:
        work, ended = end_attempt(work, answer, subject.status, doubt(work, reason))
        return ask_later(work, ended, [], reason, policy)
    work, ended = end_attempt(work, answer, subject.status, subject.outcome)
    if subject.sent_ago_s(work.now_s) > EVENT_COMES_WITHIN_S:
        rest = review(work, reason)
        return Settled(work, ended, rest.facts, Rest(rest.job))
    change = EntityChange(_order(work), EntityStatus.PENDING, check_in_s=_EVENT_MISSED_AFTER_S)
    rest = Rest(JobChange("succeeded", reason=reason, result={"pending": True}))
    return Settled(work, ended, [], rest, entities=(change,))


def _not_sent(room: Ordered, work: Work, outcome: NotSent, answer: Answer, policy: Policy) -> Settled:
    return not_sent(work, outcome, answer, policy)


def _not_found(room: Ordered, work: Work, outcome: NotFound, answer: Answer, policy: Policy) -> Settled:
    subject = work.subject
    at_the_end = f"{subject.gateway} does not know of {subject.gateway_key}, and it can't be repeated safely"
    return not_found(work, answer, policy, "not found yet", at_the_end)


_SETTLE: dict[type, Callable[[Ordered, Work, Any, Answer, Policy], Settled]] = {
    Approved: _approved,
    Declined: _declined,
    ActionRequired: _pending,
    Pending: _pending,
    NotSent: _not_sent,
    Unknown: _unknown,
    NotFound: _not_found,
}
