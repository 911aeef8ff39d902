"""What an operation is to the pipeline: a room with one door for each question that is asked of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from aegis_worker.domain.changes import JobChange
from aegis_worker.resilience.permits import STATUS, CallResult, Said, Verdict, Wanted

from ..work import Answer, Ask, Policy, Rest, Send, SendAgain, Settled, Step, Work
from .results import plain_result

# What was decided for a job: where it stands, what its last answer meant if there was one, and the step after.
Decided = tuple[Work, Settled | None, Step]


class Room(ABC):
    """An operation. Subclasses say what is next and what an answer means; the rest has answers that fit most operations.

    Everything here is pure: it decides, and others call gateways and write. A new operation is a subclass in a module of
    its own and a row in `operations.ROOMS`.
    """

    # Whether its calls try the payer's card, so that card networks' limits are looked at before.
    tries_cards: ClassVar[bool] = False

    def room_for(self, work: Work) -> Room:
        """The room that goes on with this job: another one where an operation is the same as another in some states."""
        return self

    @abstractmethod
    def step(self, work: Work, policy: Policy) -> Step:
        """What is next for a job that has no call in flight, from what stands in the database alone."""

    @abstractmethod
    def settle(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        """What the answer to the call in flight means."""

    def question(self, work: Work, step: Ask | Send | SendAgain) -> Wanted:
        """What the gates are asked before the call."""
        if isinstance(step, Ask):
            attempt = work.attempts[step.position]
            return Wanted(attempt.gateway, (STATUS,), f"{work.payment.id}-{attempt.number}-{STATUS}")
        gateway, number = gateway_and_number(work, step)
        operation = step.request.operation
        return Wanted(gateway, (operation,), f"{work.payment.id}-{number}-{operation}")

    def refused(
        self,
        work: Work,
        settled: Settled | None,
        step: Ask | Send | SendAgain,
        verdict: Verdict,
        policy: Policy,
    ) -> Decided:
        """What to do in place of a call that the gates refused: wait until it may go out."""
        queue: Literal["payments", "verify"] = "payments" if isinstance(step, Send) else "verify"
        gateway = self.question(work, step).gateway
        reason = f"{gateway} {verdict.reason}"
        waiting = JobChange("waiting", queue, run_in_s=verdict.retry_in_s, reason=reason)
        return work, settled, Rest(waiting, for_room=verdict.refused_by == "limit")

    def is_halfway(self, work: Work, step: Step) -> bool:
        """Whether a step of the same hop was made before, whose permits were kept for this one."""
        return False

    def result(self, work: Work, wanted: Wanted, epoch: int, answer: Answer) -> CallResult:
        """What the end of a call says about its gateway; `work` as it stood when the call went out."""
        result = plain_result(wanted, epoch, answer)
        can_be_asked_about = work.route.capabilities[wanted.gateway].look_ups
        if answer.looked_up and work.subject.operation not in can_be_asked_about:
            # Nobody was asked: what the gateway had told before was read, which says nothing about how it does now.
            return result._replace(said=Said.NOTHING)
        return result

    def waits_for(self, operation: str) -> str | None:
        """What its waiting job waits to do, in words; None where the payment's own state says more."""
        return None


def gateway_and_number(work: Work, step: Send | SendAgain) -> tuple[str, int]:
    """Where the call goes, and in which hop of the payment."""
    if isinstance(step, Send):
        return step.opened.gateway, step.opened.number
    return work.attempts[-1].gateway, work.attempts[-1].number
