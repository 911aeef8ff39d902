"""Refund of what was captured, or of a part of it."""

from __future__ import annotations

from msgspec.structs import replace

from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.entities import EntityChange, EntityStatus, Order, order_in
from aegis_worker.domain.outcomes import CHARGING_STEPS, Approved, Declined, Lookup, Outcome
from aegis_worker.domain.payment import Fact, Payment
from aegis_worker.gateways.capabilities import Capabilities

from ..work import Answer, Policy, Rest, Settled, Step, Work
from .answers import end_attempt
from .ordered import Ordered
from .room import Room
from .steps import ask, review
from .twins import of_the_subject

# A charge that is not settled yet is looked at again after so long, unless its gateway's event says so before. One that is
# not settled within so long is a person's.
_LOOK_AGAIN_S, SETTLED_WITHIN_S = 3600.0, 30 * 86_400.0


class Refund(Ordered):
    """A refund leaves the payment's state as it is: amounts tell of it. Giving a charge too many back is a reversal."""

    def __init__(self, reversal: Room) -> None:
        self._reversal = reversal

    def room_for(self, work: Work) -> Room:
        """The reversal's, where a charge too many is given back and no merchant ordered it."""
        return self if order_in(work.job.request) is not None else self._reversal

    def unsent_because(self, work: Work, order: Order) -> str | None:
        """A dispute was opened, or lost, while the refund waited: it might pay twice, and the merchant decides again."""
        payment = work.payment
        is_lost = payment.charged_back_minor > 0
        gone = payment.refunded_minor + payment.refunding_minor + payment.charged_back_minor
        pays_twice = payment.disputed_minor > 0 or (is_lost and gone > payment.captured_minor)
        return "dispute_open" if pays_twice and not order.forced else None

    def before_sending(self, work: Work, charge: int) -> Step | None:
        """Whether the charge is settled, at a gateway that refunds it only then."""
        able = work.route.capabilities[work.attempts[charge].gateway]
        return ask(work, charge) if able.refunds_when_settled and charge not in work.said else None

    def settle(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        """What the answer means for the refund, or, before it was sent, whether it may be."""
        if work.subject.operation in CHARGING_STEPS:
            return self._charge_asked_about(work, answer, policy)
        return super().settle(work, answer, policy)

    def _charge_asked_about(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        charge, outcome, order = (
            work.subject,
            of_the_subject(work, answer.outcome),
            order_in(work.job.request),
        )
        if order is None:
            raise AssertionError("unreachable: a reversal asks about no charge")
        work = replace(work, said={work.position: outcome})
        work, ended = end_attempt(work, answer, charge.status, charge.outcome)
        able = work.route.capabilities[charge.gateway]
        if _waits_no_more(able, outcome, order):
            return Settled(work, ended, [], self.step(work, policy))
        reason = f"{charge.gateway} refunds it only once it is settled"
        if charge.sent_ago_s(answer.asked_at_s) > SETTLED_WITHIN_S:
            rest = review(work, f"{reason}, and does not show that it is")
            return Settled(work, ended, rest.facts, Rest(rest.job))
        waiting = EntityChange(order, EntityStatus.WAITING, check_in_s=_LOOK_AGAIN_S)
        rest = Rest(JobChange("succeeded", reason=reason, result={"waiting": True}))
        return Settled(work, ended, [], rest, entities=(waiting,))

    def follows(self, payment: Payment, order: Order) -> list[Fact]:
        """Nothing: the end is final."""
        return []

    def waits_for(self, operation: str) -> str | None:
        """What its waiting job waits to do."""
        return "money is given back"


def _waits_no_more(able: Capabilities, charge: Outcome | Lookup, order: Order) -> bool:
    """Whether the refund is to be sent now. A charge that came to nothing, or is given back, is never settled any more: the
    gateway says that there is nothing to refund.
    """
    if isinstance(charge, Approved):
        return bool(charge.settled) or charge.given_back or _is_voided(able, charge, order)
    return isinstance(charge, Declined)


def _is_voided(able: Capabilities, charge: Approved, order: Order) -> bool:
    """Whether the gateway gives back by a void what is not settled yet, because all of it is to be given back."""
    return (
        able.voids_what_is_not_settled
        and not charge.refunded_minor
        and charge.captured_minor == order.amount_minor
    )
