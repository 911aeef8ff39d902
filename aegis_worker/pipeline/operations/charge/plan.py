"""What is next for a payment that is to be charged. Pure: reads the job, its payment and its attempts, calls nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.changes import JobChange, OpenAttempt
from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.gateway_keys import gateway_key
from aegis_worker.domain.outcomes import CHARGING_STEPS, Operation
from aegis_worker.domain.payment import Fact, failed, retried
from aegis_worker.domain.retries import NotSentKind, RetryLimits
from aegis_worker.domain.scheduling import too_early_s
from aegis_worker.domain.screening import screening_of
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.domain.wishes import Wish, granted
from aegis_worker.pipeline.work import Policy, Rest, Send, Step, Work
from aegis_worker.resilience.backoff import may_try_after_decline, may_try_same_gateway, next_delay_s

from ..requests import request_for, steps_from
from ..steps import ask, ended, review, unreachable_because
from .confirm import confirm_step
from .door import open_door
from .facts import opened
from .verdict import as_demanded, nobody_can_demand, verdict

# What Retry-After may ask for at most.
_LONGEST_RETRY_AFTER_S = 300.0
# How often a payment waits for the card vault, and how long: two minutes on average, well within the 15 minutes for which
# a security code is kept. Such hops count for no gateway's limits.
_VAULT_IS_SILENT = RetryLimits(max_attempts=8, initial_s=2.0, multiplier=2.0, cap_s=60.0)
# Why a gateway is tried again that took nothing; follows its name.
_NOT_TAKEN = {
    NotSentKind.NETWORK_ERROR: "was not reached before",
    NotSentKind.TIMEOUT: "was not reached in time before",
    NotSentKind.RATE_LIMIT: "took no more requests before",
    NotSentKind.VAULT: "was not called before, because the card vault did not answer",
}


class Hop(Struct, frozen=True):
    """The next gateway to try, how long to wait before, and why this one. `wished`: a hook asked for it."""

    gateway: str
    delay_s: float
    because: str
    wished: bool = False


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
    return _called_off(work) or _too_early(work)


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


def next_hop(work: Work, policy: Policy) -> Hop | None:
    """The gateway after the ones that were tried: an untried candidate at once, else, later, one that was never reached."""
    made = hops_of(work)
    hops = [hop for hop in made if not is_for_the_vault(hop)]
    if len(hops) >= policy.max_attempts or (hops and not may_go_on(work, hops)):
        return None
    if made and is_for_the_vault(made[-1]):
        return _after_the_vault(work, made, hops)
    wish = granted(hops[-1].outcome.wishes) if hops else None
    if wish is None:
        return usual_hop(work, hops)
    hop = _wished_hop(work, hops[-1], wish) or usual_hop(work, hops)
    at_least_s = wish.delay_s or 0.0
    return hop if hop is None or hop.delay_s >= at_least_s else replace(hop, delay_s=at_least_s)


def _wished_hop(work: Work, latest: Attempt, wish: Wish) -> Hop | None:
    """The hop that an error hook asked for, while it may still be made."""
    name = latest.gateway if wish.ask == "retry" else wish.gateway
    if name is None or wish.ask == "delay" or name not in work.route.decision.candidates:
        return None
    delay_s = pause_s(work, [latest]) or 0.0 if wish.ask == "retry" else 0.0
    return Hop(name, delay_s, wish.because, wished=True)


def usual_hop(work: Work, hops: list[Attempt]) -> Hop | None:
    """The hop that the decision gives, where no hook asks for another one."""
    tried = {hop.gateway: hop for hop in hops}
    decision = work.route.decision
    for name in decision.candidates:
        if name not in tried:
            return Hop(name, 0.0, decision.because if not hops else "next of the same decision")
    for name in decision.candidates:
        there = [hop for hop in hops if hop.gateway == name]
        delay_s = pause_s(work, there)
        if delay_s is not None:
            return Hop(name, delay_s, _NOT_TAKEN[_kind_of(there[-1])])
    return None


def _after_the_vault(work: Work, made: list[Attempt], hops: list[Attempt]) -> Hop | None:
    """Where the card vault did not answer, no gateway is the better one: the same is tried again, after a pause.

    `made`: all hops; `hops`: those that the vault did not hold up.
    """
    again = len(made) - len(hops)
    tried = {hop.gateway for hop in hops if hop.status == "DECLINED"}
    name = made[-1].gateway
    if name not in work.route.decision.candidates:
        name = next((one for one in work.route.decision.candidates if one not in tried), "")
    if not name or again >= _VAULT_IS_SILENT.max_attempts:
        return None
    return Hop(name, next_delay_s(again, _VAULT_IS_SILENT, work.draw), _NOT_TAKEN[NotSentKind.VAULT])


def is_for_the_vault(hop: Attempt) -> bool:
    return hop.status == "NOT_SENT" and hop.outcome.kind is NotSentKind.VAULT


def last_error(work: Work) -> dict[str, str | None]:
    """What the payment ends with when nothing more is tried: the latest refusal, in the words of `domain.declines`."""
    latest = _latest_refusal(work) or work.latest
    if latest is None:
        left_out = "; ".join(f"{name} {why}" for name, why in work.route.decision.left_out.items())
        if work.route.decision.wait_s is not None:
            code, message = (
                "gateway_unavailable",
                f"every gateway for this payment is down or paused: {left_out}",
            )
        elif nobody_can_demand(work):
            code, message = (
                "three_ds_unavailable",
                f"no gateway can demand 3-D Secure for this payment: {left_out}",
            )
        else:
            code, message = "no_eligible_gateway", f"no configured gateway takes this payment: {left_out}"
        return describe_error(code, gateway=None, gateway_code=None, message=message)
    outcome = latest.outcome
    if latest.status == "DECLINED":
        return describe_error(
            outcome.decline_code,
            gateway=latest.gateway,
            gateway_code=outcome.gateway_code,
            message=outcome.message or "",
        )
    reason = outcome.reason or "it can't be reached"
    if is_for_the_vault(latest):
        return describe_error("vault_unavailable", gateway=None, gateway_code=None, message=reason)
    return describe_error("gateway_unavailable", gateway=latest.gateway, gateway_code=None, message=reason)


def wait_for_gateway(work: Work, retry_in_s: float, why: str, policy: Policy) -> Rest | None:
    """Rest until a gateway may take it, or for as long as it may wait at all; None once that has lasted too long."""
    left_s = policy.route_wait_s - waited_s(work)
    if left_s <= 0:
        return None
    return Rest(JobChange("waiting", "payments", run_in_s=min(retry_in_s, left_s), reason=why))


def give_up(work: Work) -> Rest:
    """The payment's end without a charge."""
    error = last_error(work)
    return Rest(JobChange("failed", reason=error["code"]), failed(error))


def _leaving(work: Work) -> Step | None:
    """What comes before the next hop: the door is closed, what was cancelled ends, and a payer who was sent away is sent
    nowhere else.
    """
    ends = open_door(work, "it was given up there") or _called_off(work) or _given_up_by_hook(work)
    if ends is None and work.payment.state is State.REQUIRES_ACTION:
        return give_up(work)
    return ends


def _given_up_by_hook(work: Work) -> Rest | None:
    """The end of a payment whose latest refusal an error hook wants to be the last."""
    latest = _latest_refusal(work)
    wish = granted(latest.outcome.wishes) if latest is not None else None
    return give_up(work) if wish is not None and wish.ask == "cancel" else None


def _called_off(work: Work) -> Rest | None:
    """The end of a payment that its merchant has cancelled, or whose customer was erased, and that no gateway has charged;
    None where neither is so.

    Once it was sent to be charged it can only fail.
    """
    if work.payment.is_erased and _latest_refusal(work) is not None:
        return give_up(work)
    if work.payment.is_erased:
        message = "what was known of the customer was erased"
        error = describe_error("payer_erased", gateway=None, gateway_code=None, message=message)
        return Rest(JobChange("failed", reason="payer_erased"), failed(error))
    if not work.payment.cancelling:
        return None
    if work.payment.state is State.PROCESSING:
        return give_up(work)
    fact = Fact(EventType.CANCELLED, {"reason": "cancelled by the merchant"})
    return Rest(JobChange("failed", reason="cancelled"), [fact])


def _too_early(work: Work) -> Rest | None:
    """The rest until the time that the payment is scheduled for; whoever makes its job due earlier has not moved that."""
    early_s = too_early_s(work.payment.terms.scheduled_at, work.time_of_day_s)
    if early_s == 0.0:
        return None
    return Rest(JobChange("waiting", "payments", run_in_s=early_s, reason="its time has not come"))


def _latest_refusal(work: Work) -> Attempt | None:
    steps = [one for one in work.attempts if one.operation in CHARGING_STEPS]
    return next((one for one in reversed(steps) if one.status in ("DECLINED", "NOT_SENT")), None)


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


def waited_s(work: Work) -> float:
    """For how long nothing has happened to the payment. A payer may take longer to authenticate than it may wait."""
    latest = work.latest
    if latest is None:
        at = work.payment.terms.scheduled_at
        due_at_s = -math.inf if at is None else at.timestamp() - work.job.since_1970_s
        return work.now_s - max(work.job.made_at_s, due_at_s, _approved_at_s(work))
    return 0.0 if latest.answered_at_s is None else work.now_s - latest.answered_at_s


def _approved_at_s(work: Work) -> float:
    """When a person let it go on, of this process's clock. The wait for that is no gateway's."""
    screening = screening_of(work.payment)
    at_s = screening.approved_at_s if screening is not None else None
    return -math.inf if at_s is None else at_s - work.job.since_1970_s


def hops_of(work: Work) -> list[Attempt]:
    """The last attempt of each hop, in order."""
    last = {attempt.number: attempt for attempt in work.attempts if attempt.operation in CHARGING_STEPS}
    return [last[number] for number in sorted(last)]


def may_go_on(work: Work, hops: list[Attempt]) -> bool:
    """Whether the latest refusal leaves room for another hop."""
    latest = hops[-1]
    if latest.status != "DECLINED":
        return True
    code = latest.outcome.decline_code
    times = sum(hop.status == "DECLINED" and hop.outcome.code == code for hop in hops)
    return may_try_after_decline(code, times, work.route.gateways[latest.gateway].retry)


def pause_s(work: Work, hops: list[Attempt]) -> float | None:
    """How long to leave a gateway alone that was tried; None when it is not tried again."""
    limits, latest = work.route.gateways[hops[-1].gateway].retry, hops[-1]
    if latest.status != "NOT_SENT" or not may_try_same_gateway(_kind_of(latest), len(hops), limits):
        return None
    # Beyond the bound we would rather try than wait.
    at_least_s = min(latest.outcome.retry_after_s or 0.0, _LONGEST_RETRY_AFTER_S)
    return max(next_delay_s(len(hops), limits, work.draw), at_least_s)


def _kind_of(attempt: Attempt) -> NotSentKind:
    return attempt.outcome.kind or NotSentKind.NETWORK_ERROR


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
    request = request_for(work, operation, number, gateway)
    return Send(
        OpenAttempt(
            operation=operation,
            number=number,
            gateway=gateway,
            gateway_key=gateway_key(work.payment.id, operation, number),
            request_hash=request.fingerprint(),
            decision=decision,
            account=work.route.gateways[gateway].account,
        ),
        request,
        facts + opened(work.payment, operation, gateway, number),
    )


def _after_approval(work: Work, latest: Attempt, policy: Policy) -> Step:
    _, *following = steps_from(latest.operation, work.route.capabilities[latest.gateway].steps)
    if not following:
        return review(
            work, f"{latest.operation} was approved at {latest.gateway} but the payment has not moved"
        )
    called_off = _called_off(work)
    if called_off is not None:
        return called_off
    # What its hop was decided by stands on the first step.
    because = {"because": f"after {latest.operation}"}
    return _send(work, following[0], latest.number, latest.gateway, because, [])


def _after_refusal(work: Work, latest: Attempt, policy: Policy) -> Step:
    return _leaving(work) or _next_try(work, policy)


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
