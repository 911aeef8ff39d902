"""Which gateway a payment is tried at next, and after what pause. Pure."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from aegis_worker.domain.attempts import Attempt
from aegis_worker.domain.outcomes import CHARGING_STEPS
from aegis_worker.domain.retries import NotSentKind, RetryLimits
from aegis_worker.domain.wishes import Wish, standing
from aegis_worker.pipeline.work import Policy, Work
from aegis_worker.resilience.backoff import may_try_after_decline, may_try_same_gateway, next_delay_s

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


def next_hop(work: Work, policy: Policy) -> Hop | None:
    """The gateway after the ones that were tried: an untried candidate at once, else, later, one that was never reached."""
    made = hops_of(work)
    hops = [hop for hop in made if not is_for_the_vault(hop)]
    if len(hops) >= policy.max_attempts or (hops and not may_go_on(work, hops)):
        return None
    if made and is_for_the_vault(made[-1]):
        return _after_the_vault(work, made, hops)
    wish = standing(hops[-1].outcome.wishes) if hops else None
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
    """Whether its gateway was not called because the card vault did not answer."""
    return hop.status == "NOT_SENT" and hop.outcome.kind is NotSentKind.VAULT


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
