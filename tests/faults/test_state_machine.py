"""The pure core under every order of events: a clock, a lossy queue, gateways that fail, and workers killed anywhere.

Layer (a) of the matrix. The decisions are the product's; the tables, the gateways and the queue are models, so that
thousands of lives of a payment fit into seconds. A counterexample is printed as the steps that lead to it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.model_gateway import (
    CLOSINGS,
    IN_DOUBT,
    KEY_LIFETIME_S,
    LATER,
    OF_THE_VAULT,
    REFUSED,
    ModelGateway,
)
from support.model_tables import LEASE_S, Clock, Tables
from support.model_worker import World, worker

from aegis_worker.domain.outcomes import Operation
from aegis_worker.domain.replay import differences
from aegis_worker.domain.screening import Action
from aegis_worker.domain.transitions import State
from aegis_worker.domain.wishes import Wish
from aegis_worker.pipeline.work import NOBODY, Asks
from aegis_worker.resilience.permits import Refusal

QUEUES = ("payments", "verify")
STEPS = ((Operation.PROCESS,), (Operation.INITIATE, Operation.AUTHENTICATE, Operation.PROCESS))
MOODS = st.one_of(*map(st.sampled_from, (IN_DOUBT, REFUSED, LATER, OF_THE_VAULT)))
# What hooks ask for around calls, wherever it makes sense or not.
WISHES = st.builds(
    Wish,
    source=st.just("hook of the model"),
    ask=st.sampled_from(("retry", "delay", "other_gateway", "refund", "cancel", "review", "go_on")),
    delay_s=st.sampled_from((None, 30.0, 7200.0)),
    gateway=st.sampled_from((None, "a", "b", "nobody")),
)
CHARGED = (State.SUCCESS, State.AUTHORIZED)
# A ladder of nine minutes, three hops and five sends are over long before.
_ROUNDS = 200


class PaymentLife(RuleBasedStateMachine):
    """One payment, from its acceptance to its end."""

    @initialize(
        steps=st.sampled_from(STEPS),
        has_keys=st.sampled_from((True, True, False)),
        capture=st.sampled_from(("automatic", "manual")),
        moods=st.tuples(st.lists(MOODS, min_size=1, max_size=5), st.lists(MOODS, max_size=3)),
        closings=st.lists(st.sampled_from(CLOSINGS), max_size=3),
        asks=st.sampled_from((NOBODY, Asks(True, True, True))),
        action=st.sampled_from(Action),
        wishes=st.lists(WISHES, max_size=6),
    )
    def accept(
        self,
        steps: tuple[Operation, ...],
        has_keys: bool,
        capture: str,
        moods: tuple[list[str], list[str]],
        closings: list[str],
        asks: Asks,
        action: Action,
        wishes: list[Wish],
    ) -> None:
        self.clock = Clock()
        self.tables = Tables(self.clock, capture_method=capture)
        a = ModelGateway("a", self.clock, steps, KEY_LIFETIME_S if has_keys else 0.0, moods[0])
        a.closings = closings
        b = ModelGateway("b", self.clock, (Operation.PROCESS,), KEY_LIFETIME_S, moods[1])
        self.world = World(self.tables, {"a": a, "b": b}, asks=asks, action=action, wishes=wishes)
        self.frozen: list[Generator[str]] = []
        self.final: State | None = None
        self.charged_by: set[int] | None = None

    @precondition(lambda self: any(self.tables.due(queue) for queue in QUEUES))
    @rule(fate=st.sampled_from(("finish", "freeze", "die")), effects=st.integers(1, 8))
    def a_hint_arrives(self, fate: str, effects: int) -> None:
        """Hints carry no facts: one that comes late, twice, or by the sweeper is one that comes now."""
        queue = next(queue for queue in QUEUES if self.tables.due(queue))
        one = worker(self.world, queue)
        if fate == "finish":
            list(one)
        elif go_on(one, effects) and fate == "freeze":
            self.frozen.append(one)

    @precondition(lambda self: self.frozen)
    @rule(data=st.data(), effects=st.integers(1, 8))
    def a_frozen_worker_goes_on(self, data: st.DataObject, effects: int) -> None:
        position = data.draw(st.sampled_from(range(len(self.frozen))))
        if not go_on(self.frozen[position], effects):
            del self.frozen[position]

    @precondition(lambda self: self.tables.open_job is not None)
    @rule(more_s=st.sampled_from((0.5, 20.0, 50.0)))
    def time_passes_until_the_job_is_due(self, more_s: float) -> None:
        job = self.tables.open_job
        assert job is not None
        until = job.lease_until if job.status == "running" else job.run_at
        self.clock.now = max(self.clock.now, until) + more_s

    @rule(seconds=st.sampled_from((5.0, 31.0, LEASE_S + 1, 400.0)))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(name=st.sampled_from("ab"), look_ups=st.sampled_from(("answer", "lag", "down")))
    def look_ups_will(self, name: str, look_ups: str) -> None:
        self.world.gateways[name].look_ups = look_ups

    @rule(
        name=st.sampled_from("ab"),
        look_ups=st.booleans(),
        by=st.sampled_from((None, "breaker", "limit")),
    )
    def the_gates_will_refuse(self, name: str, look_ups: bool, by: Refusal | None) -> None:
        self.world.gates.refusing[name, look_ups] = by

    @rule()
    def somebody_asks(self) -> None:
        self.tables.sync()

    @precondition(lambda self: self._may_be_cancelled())
    @rule()
    def the_merchant_cancels(self) -> None:
        self.tables.cancel()
        self.charged_by = self._calls_that_charge()

    def _may_be_cancelled(self) -> bool:
        if not self._has_begun() or self.tables.payment.cancelling:
            return False
        job, state = self.tables.open_job, self.tables.payment.state
        is_open = job is not None and job.status != "review"
        return (
            is_open and bool(self.tables.attempts) and state not in (*CHARGED, State.FAILURE, State.CANCELLED)
        )

    def _calls_that_charge(self) -> set[int]:
        return {
            row.attempt.number for row in self.tables.attempts if row.attempt.operation is Operation.PROCESS
        }

    @invariant()
    def after_a_cancel_nothing_more_is_tried(self) -> None:
        if self._has_begun() and self.charged_by is not None:
            assert self._calls_that_charge() == self.charged_by

    @invariant()
    def charged_at_most_once(self) -> None:
        """I1."""
        if self._has_begun():
            assert self._charges() <= 1

    @invariant()
    def what_failed_is_not_in_doubt(self) -> None:
        """D4: no payment ends without a charge on a guess."""
        if self._has_begun() and self.tables.payment.state in (State.FAILURE, State.CANCELLED):
            charges = [
                row.attempt for row in self.tables.attempts if row.attempt.operation is Operation.PROCESS
            ]
            assert {charge.status for charge in charges} <= {"NOT_SENT", "DECLINED", "APPROVED"}

    @invariant()
    def row_is_the_fold_of_its_events(self) -> None:
        """I4, and I6 where folding refuses an illegal transition; every event is in the outbox."""
        if self._has_begun():
            assert differences(self.tables.payment, self.tables.events) == {}
            assert [event.seq for event in self.tables.events] == self.tables.outbox

    @invariant()
    def the_end_is_final(self) -> None:
        """I6."""
        if self._has_begun():
            state = self.tables.payment.state
            assert self.final in (None, state)
            self.final = state if self.tables.payment.is_terminal else None

    def teardown(self) -> None:
        """Heal, wake every zombie, and run until nothing is due: I2 and I3."""
        if not self._has_begun():
            return
        for gateway in self.world.gateways.values():
            gateway.heal()
        self.world.gates.refusing.clear()
        for zombie in self.frozen:
            list(zombie)
        for _ in range(_ROUNDS):
            job = self.tables.open_job
            if job is None or job.status == "review":
                break
            self.clock.now += 61.0
            for queue in QUEUES:
                list(worker(self.world, queue))
        self._is_settled()

    def _is_settled(self) -> None:
        job, state = self.tables.open_job, self.tables.payment.state
        in_review = job is not None and job.status == "review"
        assert in_review or (job is None and (self.tables.payment.is_terminal or state is State.AUTHORIZED))
        self.clock.now += 1000.0
        self.charged_at_most_once()
        self.row_is_the_fold_of_its_events()
        self.the_end_is_final()
        if state in CHARGED:
            assert self._charges() == 1
        elif not in_review:
            assert self._charges() == 0

    def _charges(self) -> int:
        return sum(gateway.charges() for gateway in self.world.gateways.values())

    def _has_begun(self) -> bool:
        return hasattr(self, "world")


def go_on(one: Generator[str], effects: int) -> bool:
    """Let a worker go on for so many effects; whether there is more for it to do."""
    return all(next(one, None) is not None for _ in range(effects))


def lives(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=20,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        **more,
    )


TestAFewLives = PaymentLife.TestCase
TestAFewLives.settings = lives(100)


# Hypothesis makes the class while this runs: mypy sees a variable.
@pytest.mark.slow
class TestManyLives(PaymentLife.TestCase):  # type: ignore[misc, valid-type]
    """The same, for minutes."""

    settings = lives(3000)
