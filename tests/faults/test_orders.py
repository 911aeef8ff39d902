"""Captures, cancels and refunds under faults: lost, repeated, cut short by a death, or racing each other."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from support.orders import CAPTURE, REFUND, VOID, amounts, entity, held, ordering, payment_now, row_is_fold
from support.payments import end_leases, make_due, pipeline, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.entities import EntityKind
from aegis_worker.domain.outcomes import Outcome
from aegis_worker.domain.transitions import State
from aegis_worker.errors import Refused, Retryable
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.asking import sync_now
from aegis_worker.persistence.database import Database

FEW, MANY = range(40), range(40, 200)


def tried(
    database: Database,
    gateway: ScriptedGateway,
    payment_id: str,
    kind: EntityKind,
    minor: int | None,
    key: str,
) -> Callable[[], None]:
    def one() -> None:
        with suppress(Refused, Retryable):  # what came too late, or too soon
            ordering(database, gateway, payment_id, kind, minor, key)

    return one


@pytest.mark.row(58)
@pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"])
def test_whatever_races_a_capture_ends_in_one_legal_state(database: Database, seeds: range) -> None:
    gateway, ended = ScriptedGateway("a"), set()
    parts = pipeline(database, gateway)
    for seed in seeds:
        payment_id = held(database, gateway, f"key-{seed}")
        racers: list[Callable[[], object]] = [
            tried(database, gateway, payment_id, CAPTURE, 700, "order-1"),
            tried(database, gateway, payment_id, CAPTURE, 700, "order-1"),
            tried(database, gateway, payment_id, CAPTURE, None, "order-2"),
            tried(database, gateway, payment_id, VOID, None, "order-3"),
            tried(database, gateway, payment_id, REFUND, 100, "order-4"),
            partial(run_until_quiet, parts),
        ]
        random.Random(seed).shuffle(racers)
        with ThreadPoolExecutor(len(racers)) as pool:
            list(pool.map(lambda racer: racer(), racers))
        for _ in range(4):
            run_until_quiet(parts)
        payment, moved = payment_now(database, payment_id), amounts(database, payment_id)
        taken = [minor for key, minor in gateway.captures.items() if key.startswith(payment_id)]
        assert (payment.capturing_minor, payment.refunding_minor) == (0, 0)
        assert payment.captured_minor == sum(taken) <= 1999
        assert moved.get("refunded", 0) in (0, 100)
        voids = [key for key in gateway.reversals if key.startswith(f"{payment_id}x")]
        assert not (voids and payment.captured_minor == 1999)
        assert (payment.state is State.CANCELLED) == (bool(voids) and payment.captured_minor == 0)
        ended.add(payment.state)
    assert row_is_fold(database, payment_id)
    assert ended <= {State.AUTHORIZED, State.SUCCESS, State.CANCELLED}


@pytest.mark.row(58)
@pytest.mark.parametrize(
    "seeds", [range(3), pytest.param(range(3, 206), marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_refund_that_races_a_capture_a_cancel_or_a_late_failure_ends_in_one_legal_state(
    database: Database, seeds: range
) -> None:
    gateway, ended, undone = ScriptedGateway("a", absence_window_s=0), set[State](), 0
    gateway.shows_movements = True
    parts = pipeline(database, gateway)
    for seed in seeds:
        payment_id = held(database, gateway, f"key-{seed}")
        ordering(database, gateway, payment_id, CAPTURE, 700, "order-0", final=False)
        run_until_quiet(parts)
        ordering(database, gateway, payment_id, REFUND, 300, "refund-0")
        run_until_quiet(parts)
        racers: list[Callable[[], object]] = [
            tried(database, gateway, payment_id, REFUND, 400, "refund-1"),
            tried(database, gateway, payment_id, REFUND, 200, "refund-2"),
            tried(database, gateway, payment_id, CAPTURE, None, "order-1"),
            tried(database, gateway, payment_id, VOID, None, "order-2"),
            partial(failing_late, database, gateway, payment_id),
            partial(run_until_quiet, parts),
        ]
        random.Random(seed).shuffle(racers)
        with ThreadPoolExecutor(len(racers)) as pool:
            list(pool.map(lambda racer: racer(), racers))
        for _ in range(4):
            database.run(partial(sync_now, payment_id=payment_id))
            run_until_quiet(parts)
        payment = payment_now(database, payment_id)
        refunded = [minor for key, minor in gateway.refunds.items() if key.startswith(payment_id)]
        taken = [minor for key, minor in gateway.captures.items() if key.startswith(payment_id)]
        assert (payment.capturing_minor, payment.refunding_minor) == (0, 0)
        assert (payment.captured_minor, payment.refunded_minor) == (sum(taken), sum(refunded))
        ended.add(payment.state)
        undone += any(key.startswith(payment_id) for key in gateway.failed_late)
    assert row_is_fold(database, payment_id)
    assert (ended <= {State.AUTHORIZED, State.SUCCESS}, undone) == (True, len(seeds))


def failing_late(database: Database, gateway: ScriptedGateway, payment_id: str) -> None:
    """The first refund fails at the gateway after it had succeeded, and the gateway is asked, if nothing else is open."""
    gateway.fail_late(f"{payment_id}b101")
    database.run(lambda connection: sync_now(connection, payment_id))


@pytest.mark.parametrize("kind", [CAPTURE, VOID, REFUND])
def test_a_worker_that_died_after_its_call_is_followed_by_one_that_asks(
    database: Database, kind: EntityKind
) -> None:
    gateway = ScriptedGateway("a")
    payment_id = held(database, gateway)
    if kind is REFUND:
        ordering(database, gateway, payment_id, CAPTURE, 800, "order-0")
        run_until_quiet(pipeline(database, gateway))
    answered = gateway.captured_once if kind is CAPTURE else gateway.reversed_once

    def and_die(request: GatewayRequest) -> Outcome:
        answered(request)
        raise SystemExit("killed")

    gateway.capturing = gateway.reverse = and_die
    accepted = ordering(database, gateway, payment_id, kind, None if kind is VOID else 500)
    with pytest.raises(SystemExit):
        run_until_quiet(pipeline(database, gateway))
    assert entity(database, accepted.id)["status"] == "pending"
    gateway.capturing, gateway.reverse = gateway.captured_once, gateway.reversed_once
    calls = len(gateway.calls)
    end_leases(database)
    make_due(database)
    run_until_quiet(pipeline(database, gateway))
    assert entity(database, accepted.id)["status"] == "succeeded"
    assert len(gateway.calls) == calls
    assert row_is_fold(database, payment_id)
