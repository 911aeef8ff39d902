"""Looking after funds that are held: the merchant is told that they are about to be released; then the gateway is asked."""

from __future__ import annotations

from datetime import datetime

from aegis_worker.domain.changes import FollowUp, JobChange
from aegis_worker.domain.holds import ASKED_FOR, expiring
from aegis_worker.domain.transitions import State

from ..work import Answer, Policy, Rest, Settled, Step, Work
from .room import Room
from .steps import review


class Hold(Room):
    """What the sweep found due about a hold. A sync finds out what became of one, and tells."""

    def step(self, work: Work, policy: Policy) -> Step:
        """Tell, or have the gateway asked. Nothing of it calls a gateway."""
        payment = work.payment
        if payment.state is not State.AUTHORIZED or payment.capture_before is None:
            return Rest(JobChange("succeeded", reason="nothing is held any more"))
        over_for_s = work.time_of_day_s - datetime.fromisoformat(payment.capture_before).timestamp()
        if over_for_s < 0:
            return Rest(JobChange("succeeded"), [expiring(payment)])
        if payment.capturing_minor:
            return Rest(JobChange("succeeded", reason="a capture is under way, whose answer tells more"))
        if over_for_s > ASKED_FOR.total_seconds():
            return review(work, f"{payment.gateway} still shows the hold as one, long after its end")
        return Rest(JobChange("succeeded", follow_up=FollowUp("sync", "verify")))

    def settle(self, work: Work, answer: Answer, policy: Policy) -> Settled:
        """Never asked, because such a job makes no call."""
        raise AssertionError("unreachable: a job about a hold makes no call")

    def waits_for(self, operation: str) -> str | None:
        """What its waiting job waits to do."""
        return "the merchant is told that the hold ends soon, or the gateway is asked what became of it"
