"""A worker as a generator: it yields between any two effects, so that it can be killed or frozen there.

It does with the model's tables and gateways what `pipeline.run` does with PostgreSQL and HTTP; each decision is taken by
the product's own functions.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

from model_gateway import ModelGateway
from model_tables import LEASE_S, Tables

from aegis_worker.pipeline.plan import next_step
from aegis_worker.pipeline.run import _sent
from aegis_worker.pipeline.settle import settle
from aegis_worker.pipeline.work import Answer, Ask, Policy, Rest, Route, Send, SendAgain, Work
from aegis_worker.pipeline.writing import legal_change
from aegis_worker.routing.router import Decision

POLICY = Policy(
    max_attempts=3,
    retry_initial_s=1,
    retry_cap_s=30,
    verify_ladder_s=(10.0, 30.0, 60.0, 120.0, 300.0),
    poison_cap=5,
)
SLOWEST_CALL_S = 10.0


@dataclass(frozen=True)
class World:
    """What a worker works with."""

    tables: Tables
    gateways: Mapping[str, ModelGateway]

    def route(self) -> Route:
        """Every gateway takes the payment, in this order."""
        return Route(
            Decision(tuple(self.gateways), {}),
            {name: gateway.capabilities for name, gateway in self.gateways.items()},
        )


def worker(world: World, queue: str) -> Generator[str]:
    """Work on one due job of the queue until it ends, waits, or is lost. Yields what has just happened."""
    tables, clock = world.tables, world.tables.clock
    job = tables.claim(queue)
    if job is None:
        return
    yield "job.claimed"
    work = Work(job, job.payment, list(job.attempts), world.route())
    settled, step = None, next_step(work, POLICY)
    leased_from_s = clock.now
    while True:
        if settled is not None or not isinstance(step, Ask):
            work, step, change = legal_change(work, settled, step)
            leased_from_s = clock.now
            if not tables.record(change):
                return
            yield "attempt.opened" if change.opened else "outcome.recorded"
            if isinstance(step, Rest):
                return
            work.payment = change.payment
            if isinstance(step, Send):
                work.attempts.append(_sent(step.opened, job.lease_epoch))
        assert isinstance(step, Send | SendAgain | Ask)
        work.position = step.position if isinstance(step, Ask) else -1
        gateway = world.gateways[work.subject.gateway]
        yield "gateway.sending"
        if isinstance(step, Ask):
            outcome = gateway.look_up(step.query)
        elif clock.now > leased_from_s + LEASE_S - SLOWEST_CALL_S:
            return
        else:
            outcome = gateway.call(step.request)
        yield "gateway.answered"
        settled = settle(work, Answer(outcome, 1.0, looked_up=isinstance(step, Ask)), POLICY)
        step = settled.then
