"""Nobody pays at a gateway that a payment has left, and nothing is held for ever: closing and expiry under faults."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from support.confirming_shop import SandboxShop
from support.gateway_calls import sent
from support.orders import CAPTURE, VOID, ordering, payment_now, row_is_fold
from support.payments import (
    POLICY,
    accept_one,
    end_leases,
    let_pass,
    make_due,
    payment_of,
    pipeline,
    run_until_quiet,
)
from support.sandbox_pair import adapter
from support.sandbox_process import Sandbox, running_sandbox
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.outcomes import ActionRequired, Approved, Operation, Outcome
from aegis_worker.domain.transitions import State
from aegis_worker.errors import Refused, Retryable
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.holds import look_after_holds
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run

HURRY = "UPDATE payments SET hold_due_at = now() WHERE hold_due_at IS NOT NULL"
NO_TIME = replace(POLICY, payer_wait_s=0.0)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def shop(database_url: str, sandbox: Sandbox) -> SandboxShop:
    """Its payers have no time at all."""
    shop = SandboxShop(database_url, sandbox)
    shop.parts = replace(shop.parts, policy=NO_TIME)
    return shop


@pytest.mark.row(75)
@pytest.mark.slow
def test_a_worker_that_died_while_it_closed_the_door_is_followed_by_one_that_asks(database: Database) -> None:
    away = ActionRequired("ch_1", Redirect("https://bank.example/3ds"))
    gateway = ScriptedGateway("a", answering(away))
    gateway.look_up = lambda query: gateway.by_ledger(query) if query.operation is Operation.CLOSE else away

    def close_and_die(request: GatewayRequest) -> Outcome:
        gateway.closed_once(request)
        raise SystemExit("killed")

    gateway.closing = close_and_die
    payment_id = accept_one(database).payment.id
    parts = pipeline(database, gateway, policy=NO_TIME)
    run(parts, "payments")
    with pytest.raises(SystemExit):
        run(parts, "verify")
    assert payment_of(database, payment_id).state is State.REQUIRES_ACTION
    end_leases(database)
    run_until_quiet(pipeline(database, gateway, policy=NO_TIME))
    assert payment_of(database, payment_id).state is State.FAILURE
    assert [call.operation.value for call in gateway.calls] == ["process", "close"]


@pytest.mark.slow
@pytest.mark.row(75)
def test_while_the_gateway_is_gone_the_payment_does_not_fail_and_the_door_is_closed_later(
    shop: SandboxShop,
) -> None:
    method = {"type": "card", "token": "tok_3ds_120"}
    shop.path = shop.merchant.accepted(payment_method=method)["links"]["self"]
    run(shop.parts, "payments")
    shop.sandbox.kill()
    for _ in range(2):
        shop.work()
    assert shop.state == "REQUIRES_ACTION"
    shop.sandbox.start()
    for _ in range(3):
        shop.work()
    assert (shop.state, shop.at_gateway, shop.charges) == ("FAILURE", ["voided"], [])


@pytest.mark.row(75)
@pytest.mark.parametrize("capture_method", ["automatic", "manual"])
def test_a_payer_who_comes_in_the_last_moment_has_paid_or_can_not_pay(
    database: Database, sandbox: Sandbox, capture_method: str
) -> None:
    gateway = adapter(sandbox)
    parts = pipeline(database, gateway, policy=NO_TIME)
    ended = set()
    for seed in range(6):
        payment_id = accept_one(
            database,
            f"key-{seed}",
            capture_method=capture_method,
            payment_method={"type": "card", "token": "tok_3ds_120"},
            return_url="https://shop.example/back",
        ).payment.id
        run(parts, "payments")
        path = f"/3ds/{payment_of(database, payment_id).gateway_ref}/pass"
        racers: list[Callable[[], object]] = [
            partial(sandbox.call, "POST", path),
            partial(run, parts, "verify"),
        ]
        random.Random(seed).shuffle(racers)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda racer: racer(), racers))
        for _ in range(3):
            make_due(database)
            run_until_quiet(parts)
        state = payment_of(database, payment_id).state
        (booked,) = [row for row in sandbox.ledger() if row["merchant_payment_id"] == payment_id]
        assert (state, booked["status"]) in (
            (State.SUCCESS, "succeeded"),
            (State.AUTHORIZED, "authorized"),
            (State.FAILURE, "voided"),
        )
        assert row_is_fold(database, payment_id)
        ended.add(state)
    assert ended


@pytest.mark.row(75)
def test_a_call_that_slept_in_a_frozen_worker_charges_nothing_where_the_door_is_closed(
    database: Database, sandbox: Sandbox
) -> None:
    steps = ["initiate", "process"]
    first = adapter(sandbox, absence_window_s=0, key_lifetime_s=1, steps=steps)
    second = ScriptedGateway("second")
    kept: list[GatewayRequest] = []

    class Frozen:
        """The first gateway, whose charges are kept by a worker that sleeps."""

        config, capabilities, ask = first.config, first.capabilities, first.ask

        def send(self, request: GatewayRequest, done: Callable[[Outcome], None], *more: Any) -> None:
            if request.operation is Operation.PROCESS:
                kept.append(request)
                raise SystemExit("frozen")
            first.send(request, done, *more)

    parts = pipeline(database, Frozen(), second)
    payment_id = accept_one(database).payment.id
    with pytest.raises(SystemExit):
        run(parts, "payments")
    for _ in range(5):
        end_leases(database)
        let_pass(database, 600)
        run_until_quiet(parts)
    assert (payment_of(database, payment_id).state, payment_of(database, payment_id).gateway) == (
        State.SUCCESS,
        "second",
    )
    assert not isinstance(sent(first, kept[0]), Approved)
    assert [row["captured"] for row in sandbox.ledger() if row["merchant_payment_id"] == payment_id] == [0]


@pytest.mark.slow
@pytest.mark.row(76)
def test_whatever_is_ordered_while_a_hold_ends_leaves_one_legal_state(
    database: Database, sandbox: Sandbox
) -> None:
    gateway = adapter(sandbox)
    parts = pipeline(database, gateway)
    held = []
    for seed in range(12):
        token = {"type": "card", "token": "tok_hold_1"}
        held.append(
            accept_one(database, f"key-{seed}", capture_method="manual", payment_method=token).payment.id
        )
    run(parts, "payments")
    rng = random.Random(1)

    def order(payment_id: str) -> None:
        time.sleep(rng.uniform(0, 1.5))
        kind, minor = rng.choice([(CAPTURE, None), (CAPTURE, 500), (VOID, None)])
        with suppress(Refused, Retryable):  # what came too late
            ordering(database, gateway, payment_id, kind, minor, final=False if minor == 500 else None)

    def sweeps() -> None:
        for _ in range(30):
            look_after_holds(database, 0.0)
            run_until_quiet(parts)
            time.sleep(0.1)

    with ThreadPoolExecutor(5) as pool:
        sweeping = pool.submit(sweeps)
        list(pool.map(order, held))
        sweeping.result()
    for _ in range(6):
        database.run(lambda connection: connection.exec_driver_sql(HURRY))
        look_after_holds(database, 0.0)
        make_due(database)
        run_until_quiet(parts)
    booked = {row["merchant_payment_id"]: row for row in sandbox.ledger()}
    for payment_id in held:
        payment = payment_now(database, payment_id)
        assert payment.state in (State.SUCCESS, State.CANCELLED)
        assert payment.captured_minor == booked[payment_id]["captured"]
        assert (payment.state is State.SUCCESS) == (booked[payment_id]["captured"] > 0)
        assert row_is_fold(database, payment_id)
