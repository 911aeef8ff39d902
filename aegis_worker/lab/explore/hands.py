"""A worker that holds the payment's job, and its next effect, as plain values. Pure.

The worker's clock reads 0 at its claim, so that what it holds does not change with the time at which it claims. Between
any two of the points a worker can be killed or frozen. That it is not too late to send, and sending, are two of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from aegis_worker.domain.card_networks import Barred
from aegis_worker.domain.confirms import deciding_last
from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.pipeline.advance import advance, send_until_s
from aegis_worker.pipeline.held import (
    Advanced,
    Answered,
    AskGates,
    Call,
    CardLookedAt,
    ChangeNotWritten,
    ChangeWritten,
    Claimed,
    Drop,
    GatesAnswered,
    Held,
    LookAtCard,
    Rested,
    TellOfCharge,
    Write,
)
from aegis_worker.pipeline.routes import as_decided
from aegis_worker.pipeline.work import Answer, Ask, Route, Send, SendAgain, Work
from aegis_worker.resilience.permits import Refusal, Verdict
from aegis_worker.routing.router import Decision

from .setups import Configuration

# What is left to chance is tried at both of its ends.
DRAWS = (0.0, 1.0)
LONGEST_PAUSE = "by chance the longest pause"
GATE_RETRY_S = 30.0
LATENCY_MS = 1.0
# More faults than any branch takes.
_ANY = 99

Point = Literal["claimed", "write", "check", "call", "answered"]


class Hand(Struct, frozen=True):
    """A worker's hand. `point`: what it does next.

    `asleep`: it is frozen. `is_stale`: it was frozen between its last look at the clock and its call. `asked_at`: when that
    look was, on its own clock.
    """

    point: Point
    job: ClaimedJob
    held: Held | None = None
    answer: Answer | None = None
    asleep: bool = False
    is_stale: bool = False
    asked_at: float = 0.0

    @property
    def holding(self) -> Held:
        """What it holds, once it has decided something."""
        if self.held is None:
            raise AssertionError("unreachable: it has decided")
        return self.held

    @property
    def step(self) -> Send | SendAgain | Ask:
        """The call that is next, or under way."""
        step = self.holding.step
        if not isinstance(step, Send | SendAgain | Ask):
            raise AssertionError("unreachable: it calls")
        return step


class Branch(Struct, frozen=True):
    """What may follow for a worker: `hand` is None where it lets go of the job.

    `charges`: the numbers of attempts whose charge it heard of too late, with the references that the gateway gave it.
    `cost`: the faults that it takes.
    """

    how: str
    cost: int
    hand: Hand | None
    charges: tuple[tuple[int, str | None], ...] = ()


def decided(hand: Hand, configuration: Configuration, now_s: float, left: int = _ANY) -> Iterator[Branch]:
    """What a worker decides about the job that it has just claimed, for `left` faults or fewer."""
    for how, cost, route in _routes(hand.job, configuration):
        if cost > left:
            continue
        work = Work(
            hand.job,
            hand.job.payment,
            deciding_last(hand.job.payment, hand.job.attempts),
            route,
            held_until_s=hand.job.claimed_at_s + configuration.lease_s,
        )
        for draw in DRAWS:
            advanced = advance(Held(work), Claimed(now_s, draw), configuration.policy)
            hows = (how, _chance(draw))
            yield from _up_to_next(hand.job, advanced, configuration, now_s, hows, cost, (), left)


def settled(hand: Hand, configuration: Configuration, now_s: float, left: int = _ANY) -> Iterator[Branch]:
    """What a worker makes of the answer that it has, for `left` faults or fewer."""
    for draw in DRAWS:
        advanced = advance(hand.holding, Answered(hand.answer, now_s, draw), configuration.policy)
        hows = (_chance(draw),)
        yield from _up_to_next(hand.job, advanced, configuration, now_s, hows, 0, (), left)


def _chance(draw: float) -> str:
    return LONGEST_PAUSE if draw else ""


def may_leave(hand: Hand, configuration: Configuration, now_s: float) -> bool:
    """Whether the call may still leave, which a worker looks at just before it."""
    step, work = hand.step, hand.holding.work
    slowest_s = configuration.gateway(work.subject.gateway).slowest_call_s
    return isinstance(step, Ask) or now_s <= send_until_s(work, step, slowest_s)


def too_late(hand: Hand, configuration: Configuration, now_s: float) -> Branch:
    """The call is not made."""
    advanced = advance(hand.holding, Answered(None, now_s, 0.0), configuration.policy)
    (branch,) = _up_to_next(hand.job, advanced, configuration, now_s, ("too late to send",), 0, ())
    return branch


def after_write(hand: Hand, configuration: Configuration, now_s: float, change_held: Held) -> Branch:
    """What a worker does once its change stands. `change_held`: what it holds, with the change as it was written."""
    told = ChangeWritten(now_s, now_s + configuration.lease_s)
    advanced = advance(change_held, told, configuration.policy)
    (branch,) = _up_to_next(hand.job, advanced, configuration, now_s, ("written",), 0, ())
    return branch


def after_refusal(hand: Hand, configuration: Configuration, now_s: float, why: str) -> Branch:
    """What a worker does once its change does not stand: `lost`, `taken`, `cancelled` or `unavailable`."""
    advanced = advance(hand.holding, ChangeNotWritten(why), configuration.policy)  # type: ignore[arg-type]
    branches = list(_up_to_next(hand.job, advanced, configuration, now_s, (why,), 0, ()))
    return branches[0] if branches else Branch(why, 0, None)


def _routes(job: ClaimedJob, configuration: Configuration) -> Iterator[tuple[str, int, Route]]:
    """Where routing would have the payment go: to all gateways in order, or one of them is down just now."""
    configs = {one.name: one.config() for one in configuration.gateways}
    capabilities = {one.name: one.capabilities for one in configuration.gateways}
    names = tuple(configs)
    yield "", 0, Route(as_decided(job.attempts, Decision(names, {})), capabilities, configs)
    for name in names:
        others = tuple(other for other in names if other != name)
        decision = Decision(others, {name: "has an open breaker"}, {name: GATE_RETRY_S})
        yield (
            f"routing leaves {name} out",
            1,
            Route(as_decided(job.attempts, decision), capabilities, configs),
        )


def _up_to_next(
    job: ClaimedJob,
    advanced: Advanced,
    configuration: Configuration,
    now_s: float,
    hows: tuple[str, ...],
    cost: int,
    charges: tuple[tuple[int, str | None], ...],
    left: int = _ANY,
) -> Iterator[Branch]:
    """Up to the next effect on the world; what the gates and the card's network may say on the way branches."""
    held, effects = advanced
    how = ", ".join(one for one in hows if one)
    for effect in effects:
        if isinstance(effect, TellOfCharge):
            charges = (*charges, (effect.number, effect.gateway_ref))
    for effect in effects:
        if isinstance(effect, LookAtCard):
            for said, price, barred in _LOOKS:
                if cost + price > left:
                    continue
                after, said_so_far = advance(held, CardLookedAt(barred), configuration.policy), (*hows, said)
                yield from _up_to_next(
                    job, after, configuration, now_s, said_so_far, cost + price, charges, left
                )
        elif isinstance(effect, AskGates):
            for said, price, verdict in VERDICTS:
                if cost + price > left:
                    continue
                after, said_so_far = (
                    advance(held, GatesAnswered(verdict, now_s), configuration.policy),
                    (*hows, said),
                )
                yield from _up_to_next(
                    job, after, configuration, now_s, said_so_far, cost + price, charges, left
                )
        elif isinstance(effect, Write):
            yield Branch(how, cost, Hand("write", job, held), charges)
        elif isinstance(effect, Call):
            yield Branch(how, cost, Hand("check", job, held), charges)
        elif isinstance(effect, Drop | Rested):
            yield Branch(how, cost, None, charges)


def _refused(by: Refusal, reason: str) -> Verdict:
    return Verdict(False, refused_by=by, reason=reason, retry_in_s=GATE_RETRY_S)


VERDICTS = (
    ("", 0, Verdict(granted=True)),
    ("its breaker refuses", 1, _refused("breaker", "has an open breaker")),
    ("its limit refuses", 1, _refused("limit", "takes no more calls now")),
)
_LOOKS: tuple[tuple[str, int, Barred | None], ...] = (
    ("", 0, None),
    ("the card's network forbids it", 1, Barred("card_barred", "explored: its network forbids it")),
)
