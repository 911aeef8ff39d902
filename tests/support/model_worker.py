"""A worker as a generator. It yields between any two effects, so that it can be killed or frozen there.

It carries out the wishes of `pipeline.advance` on the model's tables and gateways, as `pipeline.effects` does on
PostgreSQL and over HTTP.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from aegis_worker.domain.screening import Action, Finding, Screening
from aegis_worker.domain.wishes import Wish
from aegis_worker.errors import VersionConflict
from aegis_worker.pipeline.advance import advance, send_until_s
from aegis_worker.pipeline.held import (
    Answered,
    AskBefore,
    AskGates,
    AskOnError,
    Call,
    CardLookedAt,
    ChangeWritten,
    Claimed,
    Complain,
    Drop,
    Event,
    Forget,
    GatesAnswered,
    Held,
    HooksAnswered,
    LookAtCard,
    Report,
    Rested,
    Screen,
    Screened,
    TellOfCharge,
    Write,
)
from aegis_worker.pipeline.work import NOBODY, Answer, Ask, Asks, Policy, Route, Send, SendAgain, Work
from aegis_worker.resilience.permits import STATUS, Refusal, Verdict, Wanted
from aegis_worker.routing.router import Decision
from support.model_gateway import ModelGateway
from support.model_tables import LEASE_S, Tables
from support.payments import OpenGates

from .gateway_tables import tables

POLICY = Policy(
    max_attempts=3,
    verify_ladder_s=(10.0, 30.0, 60.0, 120.0, 300.0),
    poison_cap=5,
    payer_wait_s=90.0,
)
SLOWEST_CALL_S = 10.0


class ModelGates(OpenGates):
    """Gates that refuse what is in `refusing`: charges or look-ups at a gateway, because of a breaker or a limit."""

    def __init__(self) -> None:
        self.refusing: dict[tuple[str, bool], Refusal | None] = {}

    def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
        return [self._verdict(want) for want in wanted]

    def _verdict(self, want: Wanted) -> Verdict:
        by = self.refusing.get((want.gateway, want.operations == (STATUS,)))
        return Verdict(by is None, refused_by=by, reason="is not to be called now", retry_in_s=20.0)


@dataclass(frozen=True)
class World:
    """The things that a worker works with. `asks`: who is asked. `action`: what screening finds. `wishes`: what hooks ask
    for around calls, one after the other; then nothing.
    """

    tables: Tables
    gateways: Mapping[str, ModelGateway]
    gates: ModelGates = field(default_factory=ModelGates)
    asks: Asks = NOBODY
    action: Action = Action.ALLOW
    wishes: list[Wish] = field(default_factory=list)

    def route(self) -> Route:
        """The route: every gateway takes the payment, in this order."""
        return Route(
            Decision(tuple(self.gateways), {}),
            {name: gateway.capabilities for name, gateway in self.gateways.items()},
            tables(*self.gateways),
        )


def worker(world: World, queue: str) -> Generator[str]:
    """Work on one due job of the queue until it ends, waits, or is lost. Yields what has just happened."""
    tables, clock = world.tables, world.tables.clock
    jobs = tables.claim(queue, limit=1, lease_s=LEASE_S, worker="model")
    if not jobs:
        return
    (job,) = jobs
    tables.begin([job] if job.left_behind or job.claim_count else [])
    yield "job.claimed"
    draws = random.Random(job.id)
    held_until_s = job.claimed_at_s + LEASE_S
    work = Work(job, job.payment, job.attempts, world.route(), held_until_s=held_until_s, asks=world.asks)
    held, effects = advance(Held(work), Claimed(clock.now, draws.random()), POLICY)
    while True:
        told: Event | None = None
        for effect in effects:
            if isinstance(effect, AskGates):
                (verdict,) = world.gates.admit([effect.wanted])
                told = GatesAnswered(verdict, clock.now)
            elif isinstance(effect, Screen):
                yield "screening.asked"
                said = Screening((Finding("rule of the model", world.action),))
                yield "screening.answered"
                told = Screened(said, world.route(), clock.now, draws.random())
            elif isinstance(effect, AskBefore | AskOnError):
                wished = (world.wishes.pop(0),) if world.wishes else ()
                yield "hooks.answered"
                told = HooksAnswered(wished, clock.now, draws.random())
            elif isinstance(effect, LookAtCard):
                told = CardLookedAt(None)  # the model's cards have no network that forbids anything
            elif isinstance(effect, Write):
                leased_from_s = clock.now
                yield "outcome.settled"
                if not _stands(tables, effect):
                    return
                yield "attempt.opened" if effect.change.opened else "outcome.recorded"
                told = ChangeWritten(leased_from_s, leased_from_s + LEASE_S)
            elif isinstance(effect, Call):
                step = effect.step
                gateway = world.gateways[held.work.subject.gateway]
                yield "gateway.sending"
                answer = _called(gateway, step, send_until_s(held.work, step, SLOWEST_CALL_S), clock.now)
                yield "gateway.answered"
                told = Answered(answer, clock.now, draws.random())
            elif isinstance(effect, Rested | Drop):
                return
            else:
                assert isinstance(effect, Report | Forget | Complain | TellOfCharge)
        assert told is not None
        held, effects = advance(held, told, POLICY)


def _stands(tables: Tables, write: Write) -> bool:
    try:
        return bool(tables.record([write.change], {}, lease_s=LEASE_S))
    except VersionConflict:
        return False


def _called(
    gateway: ModelGateway, step: Send | SendAgain | Ask, until_s: float, now_s: float
) -> Answer | None:
    if isinstance(step, Ask):
        return Answer(gateway.look_up(step.query), 1.0, True, now_s)
    return None if now_s > until_s else Answer(gateway.call(step.request), 1.0, False, now_s)
