"""A worker as a generator: it yields between any two effects, so that it can be killed or frozen there.

It does with the model's tables and gateways what `pipeline.run` does with PostgreSQL and HTTP; each decision is taken by
the product's own functions.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from aegis_worker.domain.retries import RetryLimits
from aegis_worker.pipeline.admission import admitted
from aegis_worker.pipeline.plan import next_step
from aegis_worker.pipeline.run import _sent
from aegis_worker.pipeline.settle import settle
from aegis_worker.pipeline.work import Answer, Ask, Policy, Rest, Route, Send, SendAgain, Work
from aegis_worker.pipeline.writing import legal_change
from aegis_worker.resilience.permits import STATUS, Verdict, Wanted
from aegis_worker.routing.router import Decision
from support.model_gateway import ModelGateway
from support.model_tables import LEASE_S, Tables
from support.payments import OpenGates

POLICY = Policy(
    max_attempts=3,
    verify_ladder_s=(10.0, 30.0, 60.0, 120.0, 300.0),
    poison_cap=5,
)
SLOWEST_CALL_S = 10.0


class ModelGates(OpenGates):
    """Gates that refuse what `refusing` says: charges and look-ups of a gateway, by a breaker or by a limit."""

    def __init__(self) -> None:
        self.refusing: dict[tuple[str, bool], str] = {}

    def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
        return [self._verdict(want) for want in wanted]

    def _verdict(self, want: Wanted) -> Verdict:
        by = self.refusing.get((want.gateway, want.operations == (STATUS,)))
        return Verdict(by is None, refused_by=by, reason="is not to be called now", retry_in_s=20.0)


@dataclass(frozen=True)
class World:
    """What a worker works with."""

    tables: Tables
    gateways: Mapping[str, ModelGateway]
    gates: ModelGates = field(default_factory=ModelGates)

    def route(self) -> Route:
        """Every gateway takes the payment, in this order."""
        return Route(
            Decision(tuple(self.gateways), {}),
            {name: gateway.capabilities for name, gateway in self.gateways.items()},
            {name: RetryLimits() for name in self.gateways},
        )


def worker(world: World, queue: str) -> Generator[str]:
    """Work on one due job of the queue until it ends, waits, or is lost. Yields what has just happened."""
    tables, clock = world.tables, world.tables.clock
    job = tables.claim(queue)
    if job is None:
        return
    yield "job.claimed"
    work = Work(job, job.payment, list(job.attempts), world.route(), random.Random(job.id))
    work.held_until_s = job.claimed_at_s + LEASE_S
    if clock.now > work.held_until_s:
        return
    settled, step = None, next_step(work, POLICY, clock.now)
    while True:
        ((work, settled, step),) = admitted(world.gates, [(work, settled, step)], POLICY, lambda: clock.now)
        if settled is not None or not isinstance(step, Ask):
            work, step, change = legal_change(work, settled, step)
            leased_from_s = clock.now
            yield "outcome.settled"
            if not tables.record(change):
                return
            yield "attempt.opened" if change.opened else "outcome.recorded"
            if isinstance(step, Rest):
                return
            work.payment = change.payment
            work.held_until_s = leased_from_s + LEASE_S
            if isinstance(step, Send):
                work.attempts.append(_sent(step.opened, job.lease_epoch, leased_from_s))
        assert isinstance(step, Send | SendAgain | Ask)
        work.position = step.position if isinstance(step, Ask) else -1
        gateway = world.gateways[work.subject.gateway]
        yield "gateway.sending"
        asked_at_s = clock.now
        if isinstance(step, Ask):
            outcome = gateway.look_up(step.query)
        elif clock.now > work.held_until_s - SLOWEST_CALL_S or (
            isinstance(step, SendAgain) and clock.now > step.until_s
        ):
            return
        else:
            outcome = gateway.call(step.request)
        yield "gateway.answered"
        if clock.now > work.held_until_s and isinstance(step, Ask):
            return
        settled = settle(work, Answer(outcome, 1.0, isinstance(step, Ask), asked_at_s), POLICY, clock.now)
        step = settled.then
