"""Ask the gates about every call that was decided on, before its attempt is opened; decide again where they refuse.

A refusal by a breaker sends a payment to the next candidate of the same decision; what does not fit in, and what may go to
one gateway only, waits in `run_at`. A payment that finds no room waits on, however old it is: it never ends for that.
Nothing is written for a call that may not go out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from aegis_worker.clock import clock_s
from aegis_worker.domain.changes import JobChange
from aegis_worker.resilience.permits import STATUS, Gates, Verdict, Wanted

from .plan import another_try, next_step, wait_for_gateway
from .reversal import is_reversal
from .work import (
    CHARGING_STEPS,
    Ask,
    Permit,
    Policy,
    Rest,
    Send,
    SendAgain,
    Settled,
    Step,
    Work,
    steps_from,
)

Decided = tuple[Work, Settled | None, Step]


def admitted(
    gates: Gates, decided: Sequence[Decided], policy: Policy, clock: Callable[[], float] = clock_s
) -> list[Decided]:
    """What was decided, with a permit for every call in it, and something else where there is none."""
    standing = list(decided)
    for work, _, _ in standing:
        work.permit = work.waits = None
    to_ask = [place for place, (_, _, step) in enumerate(standing) if not isinstance(step, Rest)]
    while to_ask:
        wanted = [_wanted(work, step) for work, _, step in (standing[place] for place in to_ask)]
        refused, halfway = [], []
        for place, want, verdict in zip(to_ask, wanted, gates.admit(wanted), strict=True):
            work, settled, step = standing[place]
            if verdict.granted:
                work.permit = Permit(want, verdict.epoch)
                continue
            if _is_halfway(work, step):
                halfway.append(want)
            standing[place] = instead(work, settled, step, verdict, policy, clock())
            if not isinstance(standing[place][2], Rest):
                refused.append(place)
        if halfway:
            # The step before kept the hop's probe permits for this one; others can use them meanwhile.
            gates.forget(halfway)
        # Ends: each round takes a candidate from what is still asked about, or has it rest.
        to_ask = refused
    return standing


def instead(
    work: Work, settled: Settled | None, step: Step, verdict: Verdict, policy: Policy, now_s: float
) -> tuple[Work, Settled | None, Step]:
    """What to do in place of a call that was refused. Brings `work` to where the database will be."""
    work.now_s = now_s
    if isinstance(step, SendAgain) and settled is not None and settled.otherwise is not None:
        settled = settled.otherwise()
        return work, settled, settled.then
    gateway = _wanted(work, step).gateway
    because = f"{gateway} {verdict.reason}"
    if not isinstance(step, Send) or is_reversal(work):
        queue: Literal["payments", "verify"] = "payments" if isinstance(step, Send) else "verify"
        waiting = JobChange("waiting", queue, run_in_s=verdict.retry_in_s, reason=because)
        return work, settled, Rest(waiting, for_room=verdict.refused_by == "limit")
    waits = wait_for_gateway(work, verdict.retry_in_s, because, policy)
    if verdict.refused_by == "limit":
        if waits is not None:
            return work, settled, replace(waits, for_room=True)
        waiting = JobChange("waiting", "payments", run_in_s=verdict.retry_in_s, reason=because)
        work.waits = Rest(waiting, for_room=True)
    if _is_halfway(work, step):
        work.waits = work.waits or waits
        elsewhere = another_try(work, policy)
    else:
        narrower = work.route.decision.without(gateway, verdict.reason, verdict.retry_in_s)
        work.route = replace(work.route, decision=narrower)
        elsewhere = another_try(work, policy) if settled is not None else next_step(work, policy, now_s)
    if work.waits is not None and isinstance(elsewhere, Rest) and elsewhere.job.status == "failed":
        elsewhere = work.waits
    return work, settled, elsewhere


def _is_halfway(work: Work, step: Step) -> bool:
    """Whether a step of the same hop was made before."""
    if not isinstance(step, Send) or is_reversal(work):
        return False
    return any(attempt.number == step.opened.number for attempt in work.attempts)


def _wanted(work: Work, step: Step) -> Wanted:
    if isinstance(step, Ask):
        attempt = work.attempts[step.position]
        return Wanted(attempt.gateway, (STATUS,), f"{work.payment.id}-{attempt.number}-{STATUS}")
    if isinstance(step, Send):
        gateway, number = step.opened.gateway, step.opened.number
    elif isinstance(step, SendAgain):
        gateway, number = work.attempts[-1].gateway, work.attempts[-1].number
    else:
        raise TypeError("a rest asks for nothing")
    operation = step.request.operation
    if operation not in CHARGING_STEPS:
        return Wanted(gateway, (operation,), f"{work.payment.id}-{number}-{operation}")
    steps = steps_from(operation, work.route.capabilities[gateway].steps)
    return Wanted(gateway, steps, f"{work.payment.id}-{number}")
