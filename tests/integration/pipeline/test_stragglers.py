"""Calls that take longer than a run: nobody waits for them before other payments are taken up, and none is dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from support.payments import accept_one, attempts_of, payment_of, pipeline, story_of
from support.sandbox_process import eventually
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Outcome
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run


class SlowForSome:
    """A gateway that charges at once, and answers those of `slow` no sooner than `released`."""

    def __init__(self) -> None:
        self.slow: set[str] = set()
        self.released = threading.Event()
        self.gateway = ScriptedGateway("a", self._answer)

    def _answer(self, request: GatewayRequest) -> Outcome:
        outcome = self.gateway.charge(request)
        if request.payment_id in self.slow:
            assert self.released.wait(30)
        return outcome


@pytest.fixture
def some() -> Iterator[SlowForSome]:
    slow_for_some = SlowForSome()
    yield slow_for_some
    slow_for_some.released.set()


@pytest.fixture
def parts_for(database: Database) -> Iterator[Callable[..., PipelineParts]]:
    made: list[PipelineParts] = []

    def make(some: SlowForSome, **changes: object) -> PipelineParts:
        made.append(pipeline(database, some.gateway, run_limit_s=0.3, **changes))
        return made[-1]

    yield make
    for parts in made:
        parts.tail.finish()


def slow_payments(database: Database, some: SlowForSome, count: int = 1) -> list[str]:
    ids = [accept_one(database, f"slow-{number}").payment.id for number in range(count)]
    some.slow |= set(ids)
    return ids


def states(database: Database, ids: list[str]) -> list[State]:
    return [payment_of(database, payment_id).state for payment_id in ids]


def go_on_until_all_succeed(parts: PipelineParts, database: Database, ids: list[str]) -> None:
    def ran_and_all_succeeded() -> bool:
        run(parts, "payments")
        return set(states(database, ids)) == {State.SUCCESS}

    assert eventually(ran_and_all_succeeded)


def test_payments_are_claimed_and_charged_while_an_earlier_runs_call_is_still_out(
    database: Database, some: SlowForSome, parts_for: Callable[..., PipelineParts]
) -> None:
    parts = parts_for(some)
    slow = slow_payments(database, some)
    run(parts, "payments")
    assert [attempt["status"] for attempt in attempts_of(database, slow[0])] == ["SENT"]
    for number in range(3):
        ordinary = [accept_one(database, f"{number}-{each}").payment.id for each in range(20)]
        # A run may reach its limit of 0.3 s on a busy machine; the next one goes on.
        go_on_until_all_succeed(parts, database, ordinary)
    assert states(database, slow) == [State.PROCESSING]
    some.released.set()
    parts.tail.finish()
    assert story_of(database, slow[0]) == ["INITIATED", "PROCESSING", "SUCCEEDED"]
    assert some.gateway.charges_of(slow[0]) == 1


def test_a_call_that_outlives_its_run_is_settled_although_no_other_run_comes(
    database: Database, some: SlowForSome, parts_for: Callable[..., PipelineParts]
) -> None:
    parts = parts_for(some)
    slow = slow_payments(database, some, count=3)
    report = run(parts, "payments")
    assert (report.claimed, report.finished) == (3, 0)
    some.released.set()
    parts.tail.finish()
    assert states(database, slow) == 3 * [State.SUCCESS]
    assert len(some.gateway.calls) == 3


def test_a_look_at_another_queue_goes_on_with_what_is_out_and_does_not_wait_for_it(
    database: Database, some: SlowForSome, parts_for: Callable[..., PipelineParts]
) -> None:
    parts = parts_for(some)
    slow = slow_payments(database, some)
    run(parts, "payments")
    assert run(parts, "verify").claimed == 0
    assert states(database, slow) == [State.PROCESSING]
    some.released.set()
    parts.tail.finish()
    assert states(database, slow) == [State.SUCCESS]


def test_calls_of_earlier_runs_count_among_those_that_a_process_may_have_out(
    database: Database, some: SlowForSome, parts_for: Callable[..., PipelineParts]
) -> None:
    parts = parts_for(some, calls_in_flight=2)
    slow = slow_payments(database, some, count=2)
    run(parts, "payments")
    ordinary = accept_one(database, "ordinary").payment.id
    assert run(parts, "payments").claimed == 0
    assert len(some.gateway.calls) == 2
    some.released.set()
    parts.tail.finish()
    run(parts, "payments")
    assert states(database, [*slow, ordinary]) == 3 * [State.SUCCESS]


def test_an_answer_that_cannot_be_written_by_then_leaves_the_others_to_be_written(
    database: Database, some: SlowForSome, parts_for: Callable[..., PipelineParts]
) -> None:
    parts = parts_for(some)
    slow = slow_payments(database, some, count=2)
    run(parts, "payments")
    database.run(
        lambda tx: tx.exec_driver_sql(
            "UPDATE jobs SET lease_epoch = lease_epoch + 1 WHERE payment_id = %s", (slow[0],)
        )
    )
    some.released.set()
    parts.tail.finish()
    assert states(database, slow) == [State.PROCESSING, State.SUCCESS]
