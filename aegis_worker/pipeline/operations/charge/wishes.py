"""What becomes of what error hooks ask for, after a call of a charge that went wrong. Pure.

The core grants a wish only where it would be safe without any hook: never another try while a call is in doubt, past the
payment's attempts, after a decline that ends it, or before the door is closed (design D4, D16). What was asked for, and why
it was refused, is kept with the attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from aegis_worker.domain.attempts import AttemptStatus
from aegis_worker.domain.transitions import State
from aegis_worker.domain.wishes import LONGEST_DELAY_S, Wish, granted
from aegis_worker.pipeline.work import Policy, Settled, Work

from ..asking import ERRORS
from ..steps import review
from .hops import hops_of, is_for_the_vault, may_go_on, pause_s, usual_hop
from .plan import another_try
from .verdict import as_demanded


def heeded_on_error(settled: Settled, wishes: Sequence[Wish], policy: Policy) -> Settled:
    """What the answer means, once hooks have been heard: the first wish that can be granted is."""
    told = [wish for wish in wishes if wish.ask != "nothing" or wish.failed is not None]
    if not told or settled.answered.status not in ERRORS:
        return settled
    heard: list[Wish] = []
    in_doubt = settled.answered.status is AttemptStatus.UNKNOWN
    for wish in told:
        refused = _refused(settled, wish, granted(heard), policy)
        heard.append(replace(wish, refused=refused, in_doubt=in_doubt))
    outcome = replace(settled.answered.outcome, wishes=(*settled.answered.outcome.wishes, *heard))
    work = settled.work.amended(replace(settled.work.subject, outcome=outcome))
    settled = replace(settled, work=work, answered=replace(settled.answered, outcome=outcome))
    done = granted(heard)
    if done is None:
        return settled
    return replace(
        settled, then=review(work, done.because) if done.ask == "review" else another_try(work, policy)
    )


def _refused(settled: Settled, wish: Wish, before: Wish | None, policy: Policy) -> str | None:
    """Why the core does not do it; None where it does."""
    work = as_demanded(settled.work)
    if wish.ask == "nothing":
        return None
    if before is not None:
        return f"{before.source} was heard before"
    is_definite = settled.answered.status is not AttemptStatus.UNKNOWN
    if wish.ask == "review":
        return "the payment was called off" if is_definite and work.payment.is_called_off else None
    if not is_definite:
        return "the call may have charged: its gateway is asked, and nothing else is done meanwhile"
    if wish.ask == "cancel":
        return None
    return (
        _ON[wish.ask](work, wish, policy)
        if wish.ask in _ON
        else f"{wish.ask} is not for a charge that failed"
    )


def _no_refund(work: Work, wish: Wish, policy: Policy) -> str | None:
    return "nothing stands charged that could be given back"


def _no_retry(work: Work, wish: Wish, policy: Policy) -> str | None:
    latest = hops_of(work)[-1]
    if latest.status is AttemptStatus.NOT_SENT and pause_s(work, [latest]) is None:
        return f"{latest.gateway} is not tried again after that"
    return _no_further_try(work, wish, policy) or _no_candidate(work, latest.gateway)


def _no_other_gateway(work: Work, wish: Wish, policy: Policy) -> str | None:
    no_further = _no_further_try(work, wish, policy)
    if no_further is not None:
        return no_further
    hops = hops_of(work)
    if wish.gateway is None:
        usual = usual_hop(work, hops)
        is_other = usual is not None and usual.gateway != hops[-1].gateway
        return None if is_other else "no other gateway takes it"
    if any(hop.gateway == wish.gateway for hop in hops):
        return f"{wish.gateway} was tried"
    return _no_candidate(work, wish.gateway)


def _no_delay(work: Work, wish: Wish, policy: Policy) -> str | None:
    no_further = _no_further_try(work, wish, policy)
    if no_further is None and usual_hop(work, hops_of(work)) is None:
        return "nothing more is tried"
    return no_further


def _no_further_try(work: Work, wish: Wish, policy: Policy) -> str | None:
    hops = hops_of(work)
    if wish.delay_s is not None and wish.delay_s > LONGEST_DELAY_S:
        return f"it may be put off for {LONGEST_DELAY_S:.0f} s at most"
    if work.payment.is_called_off:
        return "the payment was called off"
    if work.payment.state is State.REQUIRES_ACTION:
        return "its payer was sent away, and is sent nowhere else"
    if is_for_the_vault(hops[-1]):
        return "the card vault did not answer; it is asked again first"
    if len(hops) >= policy.max_attempts:
        return f"it had {len(hops)} attempts, the most that a payment has"
    if not may_go_on(work, hops):
        return f"nothing more is tried after {hops[-1].outcome.code}"
    return None


def _no_candidate(work: Work, gateway: str) -> str | None:
    decision = work.route.decision
    if gateway in decision.candidates:
        return None
    return f"{gateway} {decision.left_out.get(gateway, 'is no gateway that takes it')}"


_ON: Mapping[str, Callable[[Work, Wish, Policy], str | None]] = {
    "retry": _no_retry,
    "delay": _no_delay,
    "other_gateway": _no_other_gateway,
    "refund": _no_refund,
}
