"""What is next for a payment that is to be charged. Pure: reads the job, its payment and its attempts, calls nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.changes import JobChange
from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.payment import Fact, retried
from aegis_worker.domain.transitions import State
from aegis_worker.domain.wishes import standing
from aegis_worker.pipeline.work import Policy, Rest, Send, Step, Work

from ..requests import new_call, steps_from
from ..steps import ask, ended, review, unreachable_because
from .confirm import confirm_step
from .door import open_door
from .ends import called_off, give_up, given_up_by_hook, last_error, latest_refusal
from .facts import opened
from .hops import Hop, hops_of, next_hop, pause_s
from .verdict import as_demanded, verdict
from .waits import too_early, wait_for_gateway


def first_step(work: Work, policy: Policy) -> Step:
    """The step that the payment's facts demand. A crash anywhere only means that another worker asks this again."""
    if work.payment.is_terminal or work.payment.state is State.AUTHORIZED:
        return Rest(ended(work))
    latest = work.latest
    if latest is None:
        return goes_nowhere_yet(work) or verdict(work) or _next_try(work, policy)
    unreachable = unreachable_because(work, latest)
    if unreachable is not None:
        return review(work, unreachable)
    if latest.operation is Operation.CLOSE:
        return ask(work)
    return confirm_step(work, latest) or _AFTER[latest.status](work, latest, policy)


def goes_nowhere_yet(work: Work) -> Rest | None:
    """The end or the rest of a payment that was never tried, whatever anybody would say of it; None where it is due."""
    return called_off(work) or too_early(work)


def another_try(work: Work, policy: Policy) -> Step:
    """After a refusal that has just come: at once elsewhere, later where nothing was reached, or the payment's end."""
    leaving = _leaving(work)
    if leaving is not None:
        return leaving
    work = as_demanded(work)
    hop = next_hop(work, policy)
    if hop is not None and hop.delay_s > 0:
        reason = f"{hop.gateway}, which {hop.because}, is tried again"
        if hop.wished:
            reason = f"{hop.gateway} is tried again: {hop.because}"
        return Rest(JobChange("waiting", "payments", run_in_s=hop.delay_s, reason=reason))
    return _start(work, hop) if hop is not None else _no_hop(work, policy)


def _leaving(work: Work) -> Step | None:
    """What comes before the next hop: the door is closed, what was cancelled ends, and a payer who was sent away is sent
    nowhere else.
    """
    ends = open_door(work, "it was given up there") or called_off(work) or given_up_by_hook(work)
    if ends is None and work.payment.state is State.REQUIRES_ACTION:
        return give_up(work)
    return ends


def _next_try(work: Work, policy: Policy) -> Step:
    """A hop that is due now: its pause, if it had one, is over."""
    work = as_demanded(work)
    hop = next_hop(work, policy)
    return _start(work, hop) if hop is not None else _no_hop(work, policy)


def _no_hop(work: Work, policy: Policy) -> Step:
    back_in_s, waits = _back_in_s(work), None
    if back_in_s is not None and len(hops_of(work)) < policy.max_attempts and _reached_nobody(work):
        why = "; ".join(f"{name} {why}" for name, why in work.route.decision.left_out.items())
        waits = wait_for_gateway(work, back_in_s, f"no gateway takes it now: {why}", policy)
    return waits or give_up(work)


def _back_in_s(work: Work) -> float | None:
    """When to ask again for a gateway that is out only for now, of those that are still worth a hop; None without any."""
    hops = hops_of(work)
    tried = {name: [hop for hop in hops if hop.gateway == name] for name in work.route.decision.back_in_s}
    return min(
        (
            back_in_s
            for name, back_in_s in work.route.decision.back_in_s.items()
            if not tried[name] or pause_s(work, tried[name]) is not None
        ),
        default=None,
    )


def _reached_nobody(work: Work) -> bool:
    return all(attempt.status == "NOT_SENT" for attempt in work.attempts)


def _start(work: Work, hop: Hop) -> Send:
    latest = work.latest
    number = max((attempt.number for attempt in work.attempts), default=0) + 1
    again = [retried(latest.gateway, hop.gateway, str(last_error(work)["code"]))] if latest else []
    decision = work.route.decision if number == 1 else work.route.decision.for_later_hops()
    kept = decision.document() | {"because": hop.because, "version": work.route.version}
    return _send(work, work.route.capabilities[hop.gateway].steps[0], number, hop.gateway, kept, again)


def _send(
    work: Work,
    operation: Operation,
    number: int,
    gateway: str,
    decision: Mapping[str, Any],
    facts: list[Fact],
) -> Send:
    return new_call(
        work,
        operation,
        number,
        gateway,
        account=work.route.gateways[gateway].account,
        decision=decision,
        facts=facts + opened(work.payment, operation, gateway, number),
    )


def _after_approval(work: Work, latest: Attempt, policy: Policy) -> Step:
    _, *following = steps_from(latest.operation, work.route.capabilities[latest.gateway].steps)
    if not following:
        return review(
            work, f"{latest.operation} was approved at {latest.gateway} but the payment has not moved"
        )
    over = called_off(work)
    if over is not None:
        return over
    # What its hop was decided by stands on the first step.
    because = {"because": f"after {latest.operation}"}
    return _send(work, following[0], latest.number, latest.gateway, because, [])


def _after_refusal(work: Work, latest: Attempt, policy: Policy) -> Step:
    return _held_by_hook(work) or _leaving(work) or _next_try(work, policy)


def _held_by_hook(work: Work) -> Rest | None:
    """Back to the person whom an error hook asked for: a `sync` or an event of a gateway, which has the job taken up again,
    decides nothing.
    """
    latest = latest_refusal(work)
    wish = standing(latest.outcome.wishes) if latest is not None else None
    if wish is None or wish.ask != "review" or work.payment.is_called_off:
        return None
    return review(work, wish.because)


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
