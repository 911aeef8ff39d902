"""What is next for a claimed job. Pure: reads the job, its payment and its attempts, calls nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.gateway_keys import gateway_key
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import failed, opened
from aegis_worker.domain.transitions import State
from aegis_worker.persistence.mapping import Attempt
from aegis_worker.persistence.record import JobChange, OpenAttempt
from aegis_worker.resilience.backoff import retry_delay_s

from .reversal import is_reversal, reversal_step
from .steps import ask, ended, review
from .sync import is_sync, sync_step
from .work import Policy, Rest, Send, Step, Work, request_for


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
    if is_reversal(work):
        return reversal_step(work)
    if is_sync(work):
        return sync_step(work)
    if work.payment.is_terminal or work.payment.state is State.AUTHORIZED:
        return Rest(ended(work))
    latest = work.latest
    if latest is None:
        return _first_hop(work, policy)
    if latest.gateway not in work.route.capabilities:
        return review(work, f"gateway {latest.gateway} has an open attempt and is no longer configured")
    return _AFTER[latest.status](work, latest, policy)


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
    return ask(work)


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
