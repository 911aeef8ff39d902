"""What is next for a claimed job. Pure: reads the job, its payment and its attempts, calls nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Fact, failed, opened
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.gateways.base import StatusQuery
from aegis_worker.persistence.mapping import Attempt
from aegis_worker.persistence.record import JobChange, OpenAttempt
from aegis_worker.resilience.backoff import retry_delay_s

from .work import Ask, Policy, Rest, Send, Step, Work, gateway_key, hop_reference, request_for


@dataclass(frozen=True, slots=True)
class Hop:
    """The next gateway to try, how long to wait before, and why this one."""

    gateway: str
    delay_s: float
    because: str


def next_step(work: Work, policy: Policy) -> Step:
    """The step that the job's facts demand. A crash anywhere only means that this is asked again by another worker."""
    if work.job.claim_count > policy.poison_cap:
        return review(
            work, f"claimed {work.job.claim_count - 1} times without an answer: its worker dies on it"
        )
    if work.job.operation == "sync":
        return _sync(work)
    if work.payment.is_terminal or work.payment.state is State.AUTHORIZED:
        return Rest(ended(work))
    latest = work.latest
    if latest is None:
        return _first_hop(work, policy)
    if latest.gateway not in work.route.capabilities:
        return review(work, f"gateway {latest.gateway} has an open attempt and is no longer configured")
    return _AFTER[latest.status](work, latest, policy)


def ask(work: Work, attempt: Attempt) -> Ask:
    """The look-up for an attempt: by the gateway's id where any step of the hop returned one, else by our reference."""
    return Ask(StatusQuery(attempt.operation, attempt.gateway_key, hop_reference(work, attempt.number)))


def next_hop(work: Work, policy: Policy) -> Hop | None:
    """The gateway after the ones that were tried: an untried candidate at once, else, later, one that was never reached."""
    last_status = {attempt.gateway: attempt.status for attempt in work.attempts}
    hops = max((attempt.number for attempt in work.attempts), default=0)
    if hops >= policy.max_attempts:
        return None
    candidates = work.route.decision.candidates
    for name in candidates:
        if name not in last_status:
            return Hop(name, 0.0, "first in configured order" if hops == 0 else "next in configured order")
    for name in candidates:
        if last_status[name] == "NOT_SENT":
            delay_s = retry_delay_s(hops, initial_s=policy.retry_initial_s, cap_s=policy.retry_cap_s)
            return Hop(name, delay_s, "was not reached before")
    return None


def review(work: Work, reason: str) -> Rest:
    """Hand the job to a person, with the reason."""
    fact = Fact(EventType.REVIEW_REQUIRED, {"reason": reason})
    return Rest(JobChange("review", reason=reason), [fact])


def ended(work: Work) -> JobChange:
    """The job's end, from the payment's."""
    done = work.payment.state in (State.SUCCESS, State.AUTHORIZED)
    return JobChange("succeeded" if done else "failed")


def _first_hop(work: Work, policy: Policy) -> Step:
    hop = next_hop(work, policy)
    if hop is None:
        left_out = "; ".join(f"{name} {why}" for name, why in work.route.decision.left_out.items())
        message = f"no configured gateway takes this payment: {left_out}"
        error = describe_error("no_eligible_gateway", gateway=None, gateway_code=None, message=message)
        return Rest(JobChange("failed", reason=message), failed(error))
    return _start(work, hop)


def _start(work: Work, hop: Hop) -> Send:
    number = max((attempt.number for attempt in work.attempts), default=0) + 1
    return _send(work, work.route.capabilities[hop.gateway].steps[0], number, hop.gateway, hop.because)


def _send(work: Work, operation: Operation, number: int, gateway: str, because: str) -> Send:
    request = request_for(work, operation, number)
    decision = work.route.decision
    return Send(
        OpenAttempt(
            operation=operation,
            number=number,
            gateway=gateway,
            gateway_key=gateway_key(work.payment.id, operation, number),
            request_hash=request.fingerprint(),
            decision={
                "candidates": list(decision.candidates),
                "left_out": decision.left_out,
                "because": because,
            },
        ),
        request,
        opened(work.payment, operation, gateway, number),
    )


def _after_approval(work: Work, latest: Attempt, policy: Policy) -> Step:
    steps = work.route.capabilities[latest.gateway].steps
    following = steps[steps.index(latest.operation) + 1 :]
    if not following:
        return review(
            work, f"{latest.operation} was approved at {latest.gateway} but the payment has not moved"
        )
    return _send(work, following[0], latest.number, latest.gateway, f"after {latest.operation}")


def _after_refusal(work: Work, latest: Attempt, policy: Policy) -> Step:
    hop = next_hop(work, policy)
    if hop is None:
        return review(work, f"no gateway is left after {latest.gateway} and the payment has not moved")
    return _start(work, hop)


def _in_flight(work: Work, latest: Attempt, policy: Policy) -> Step:
    return ask(work, latest)


# What to do next, by how the latest attempt stands. SENT is the mark of a worker that died during the call.
_AFTER: dict[str, Callable[[Work, Attempt, Policy], Step]] = {
    "SENT": _in_flight,
    "UNKNOWN": _in_flight,
    "PENDING": _in_flight,
    "ACTION_REQUIRED": _in_flight,
    "APPROVED": _after_approval,
    "DECLINED": _after_refusal,
    "NOT_SENT": _after_refusal,
}


def _sync(work: Work) -> Step:
    sent = [attempt for attempt in work.attempts if attempt.status != "NOT_SENT"]
    if not sent:
        return Rest(JobChange("succeeded", result={"agrees": True, "gateway_says": "nothing was ever sent"}))
    if sent[-1].gateway not in work.route.capabilities:
        return Rest(JobChange("failed", reason=f"gateway {sent[-1].gateway} is no longer configured"))
    return ask(work, sent[-1])
