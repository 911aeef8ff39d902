"""Charging a payment: hop by hop through its gateways, until one has approved it or none is left to try."""

from __future__ import annotations

from typing import TypeGuard

from msgspec.structs import replace

from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.outcomes import CHARGING_STEPS, Operation, charges
from aegis_worker.pipeline.work import Answer, Ask, Policy, Rest, Send, SendAgain, Settled, Step, Work
from aegis_worker.resilience.permits import CallResult, Verdict, Wanted

from ..requests import steps_from
from ..results import step_result
from ..room import Decided, Room, gateway_and_number
from .close import settle_close
from .confirm import settle_confirm
from .plan import another_try, first_step
from .settle import settle
from .waits import wait_for_gateway


class Charge(Room):
    """The steps of a hop (`initiate`, `authenticate`, `process`, as the gateway needs them), then the next hop."""

    tries_cards = True

    def step(self, work: Work, policy: Policy) -> Step:
        """Open the next attempt, ask about the last one, wait, or end the payment."""
        return first_step(work, policy)

    def settle(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        """What the answer to a step of the charge means."""
        if work.subject.operation is Operation.CLOSE:
            return settle_close(work, answer, policy)
        if work.subject.operation is Operation.CONFIRM:
            return settle_confirm(work, answer, policy, settle)
        return settle(work, answer, policy)

    def question(self, work: Work, step: Ask | Send | SendAgain) -> Wanted:
        """A step is no use where the ones that follow it in its hop may not go out."""
        if isinstance(step, Ask) or step.request.operation not in CHARGING_STEPS:
            return super().question(work, step)
        gateway, number = gateway_and_number(work, step)
        steps = steps_from(step.request.operation, work.route.capabilities[gateway].steps)
        return Wanted(gateway, steps, f"{work.payment.id}-{number}")

    def refused(
        self,
        work: Work,
        settled: Settled | None,
        step: Ask | Send | SendAgain,
        verdict: Verdict,
        policy: Policy,
    ) -> Decided:
        """A refusal by a breaker sends the payment to the next candidate of the same decision; what does not fit in, and
        what may go to one gateway only, waits. A payment that finds no room waits on, however old it is, and so does one
        whose payer has paid at this gateway, where anywhere else they would have to pay again.
        """
        if not _is_of_a_charge(step):
            return super().refused(work, settled, step, verdict, policy)
        gateway = step.opened.gateway
        because, full = f"{gateway} {verdict.reason}", verdict.refused_by == "limit"
        if self.is_halfway(work, step) and work.route.capabilities[gateway].payer_pays_first:
            waiting = JobChange("waiting", "payments", run_in_s=verdict.retry_in_s, reason=because)
            return work, settled, Rest(waiting, for_room=full)
        waits = wait_for_gateway(work, verdict.retry_in_s, because, policy)
        if full and waits is not None:
            return work, settled, replace(waits, for_room=True)
        if full:
            waiting = JobChange("waiting", "payments", run_in_s=verdict.retry_in_s, reason=because)
            work = replace(work, waits=Rest(waiting, for_room=True))
        if self.is_halfway(work, step):
            work = replace(work, waits=work.waits or waits)
            elsewhere = another_try(work, policy)
        else:
            narrower = work.route.decision.without(gateway, verdict.reason, verdict.retry_in_s)
            work = replace(work, route=replace(work.route, decision=narrower))
            elsewhere = another_try(work, policy) if settled is not None else first_step(work, policy)
        if work.waits is not None and isinstance(elsewhere, Rest) and elsewhere.job.status == "failed":
            elsewhere = work.waits
        return work, settled, elsewhere

    def is_halfway(self, work: Work, step: Step) -> bool:
        """Whether a step of the same hop was made before."""
        if not _is_of_a_charge(step):
            return False
        return any(attempt.number == step.opened.number for attempt in work.attempts)

    def result(self, work: Work, wanted: Wanted, epoch: int, answer: Answer) -> CallResult:
        """Health counts the steps of a charge, and no look-ups."""
        if answer.looked_up or work.subject.operation not in CHARGING_STEPS:
            return super().result(work, wanted, epoch, answer)
        declined_before = any(attempt.status == "DECLINED" for attempt in work.attempts)
        is_last = charges(work.subject.operation)
        return step_result(wanted, epoch, answer, is_last=is_last, declined_before=declined_before)


def _is_of_a_charge(step: Step) -> TypeGuard[Send]:
    """Whether it is a new step of a charge, and not what hands on or closes one."""
    return isinstance(step, Send) and step.opened.operation in CHARGING_STEPS
