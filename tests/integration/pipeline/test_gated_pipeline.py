"""The pipeline behind real gates, on Valkey: what open breakers and full gateways do to payments."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from redis import Redis
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    job_of,
    last_error_of,
    let_pass,
    make_due,
    payment_of,
    rows,
    story_of,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.domain.outcomes import NotSent, Outcome, Unknown
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.resilience.permits import STATUS, CallResult, Said, Wanted

# Two failures open it, for an hour.
TOUCHY = BreakerLimits(consecutive_failures=2, open_s=3600, max_open_s=3600)
# It lets a probe through at once.
BACK_SOON = BreakerLimits(consecutive_failures=2, open_s=0.001, max_open_s=0.001, successes_to_close=1)
UNREACHABLE = NotSent("connect timeout", kind=NotSentKind.TIMEOUT)


def refusing(name: str, outcome: Outcome = UNREACHABLE, limits: BreakerLimits = TOUCHY) -> ScriptedGateway:
    return ScriptedGateway(name, lambda request: outcome, breaker=limits)


def opened(database: Database, parts: PipelineParts) -> None:
    """Two payments that find the first gateway unreachable."""
    for number in range(2):
        accept_one(database, f"before-{number}")
        run(parts, "payments")


def test_payments_pass_over_a_gateway_whose_breaker_is_open(database: Database, gated: Any) -> None:
    down, well = refusing("a"), ScriptedGateway("b")
    parts = gated(down, well)
    opened(database, parts)
    calls = len(down.calls)
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    assert (payment_of(database, payment_id).gateway, len(down.calls)) == ("b", calls)
    (attempt,) = attempts_of(database, payment_id)
    assert "a" in attempt["decision"]["left_out"]
    assert story_of(database, payment_id) == ["INITIATED", "PROCESSING", "SUCCEEDED"]


def test_a_payment_whose_every_gateway_is_down_waits_and_goes_through_when_one_is_back(
    database: Database, gated: Any
) -> None:
    gateway = refusing("a", limits=BACK_SOON)
    parts = gated(gateway)
    for number in range(2):
        accept_one(database, f"before-{number}")
    run(parts, "payments")
    gateway._script = gateway.charge
    payment_id = accept_one(database).payment.id
    for _ in range(3):
        run(parts, "payments")
        make_due(database)
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert gateway.charges_of(payment_id) == 1


def test_while_it_waits_no_attempt_stands_and_the_job_says_why(database: Database, gated: Any) -> None:
    parts = gated(refusing("a"))
    opened(database, parts)
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    job = job_of(database, payment_id)
    assert (job["status"], job["queue"], attempts_of(database, payment_id)) == ("waiting", "payments", [])
    assert job["reason"].startswith("no gateway takes it now: a ")
    assert payment_of(database, payment_id).state is State.INITIATED


def test_a_payment_that_has_waited_for_too_long_fails_and_was_not_charged(
    database: Database, gated: Any
) -> None:
    gateway = refusing("a")
    parts = gated(gateway)
    opened(database, parts)
    payment_id = accept_one(database).payment.id
    age = f"UPDATE jobs SET created_at = created_at - interval '{POLICY.route_wait_s} s'"
    database.run(lambda connection: connection.exec_driver_sql(age))
    run(parts, "payments")
    payment = payment_of(database, payment_id)
    assert (payment.state, last_error_of(payment)["code"]) == (State.FAILURE, "gateway_unavailable")
    assert gateway.charges_of(payment_id) == 0


def test_look_ups_go_out_while_charging_is_down(database: Database, gated: Any) -> None:
    """The charge happened and its answer was lost: two of those open the breaker, and both are resolved all the same."""

    def charge_and_lose(request: GatewayRequest) -> Outcome:
        gateway.charge(request)
        return Unknown("reset")

    gateway = ScriptedGateway("a", charge_and_lose, breaker=TOUCHY)
    parts = gated(gateway)
    ids = [accept_one(database, f"k{number}").payment.id for number in range(2)]
    run(parts, "payments")
    assert parts.gates.views()["a"]["process"].state == "OPEN"
    make_due(database)
    run(parts, "verify")
    assert {payment_of(database, payment_id).state for payment_id in ids} == {State.SUCCESS}


def test_a_charge_in_doubt_waits_for_the_breaker_of_look_ups_and_is_not_given_up(
    database: Database, gated: Any
) -> None:
    gateway = ScriptedGateway("a", lambda request: Unknown("reset"), breaker=TOUCHY)
    gateway.look_up = lambda query: Unknown("status is down")
    parts = gated(gateway)
    ids = [accept_one(database, f"k{number}").payment.id for number in range(3)]
    for _ in range(3):
        run(parts, "payments")
        run(parts, "verify")
        make_due(database)
    assert parts.gates.views()["a"][STATUS].state == "OPEN"
    asked = sum(attempt["checks"] for payment_id in ids for attempt in attempts_of(database, payment_id))
    run(parts, "verify")
    assert asked == sum(attempt["checks"] for one in ids for attempt in attempts_of(database, one))
    assert {job_of(database, payment_id)["status"] for payment_id in ids} == {"waiting"}
    assert {payment_of(database, payment_id).certainty for payment_id in ids} == {"unknown"}


def test_a_charge_that_never_arrived_is_not_repeated_while_its_breaker_is_open(
    database: Database, gated: Any, valkey: Redis
) -> None:
    """Nor does that count as a send: it goes out once the gateway is back, under the same key."""
    gateway = ScriptedGateway("a", lambda request: Unknown("reset"), breaker=TOUCHY)
    parts = gated(gateway)
    ids = [accept_one(database, f"k{number}").payment.id for number in range(2)]
    run(parts, "payments")
    calls = len(gateway.calls)
    make_due(database)
    run(parts, "verify")
    (attempt,) = attempts_of(database, ids[0])
    assert (attempt["sends"], attempt["status"], len(gateway.calls)) == (1, "UNKNOWN", calls)
    gateway._script = gateway.charge
    healed = gated(gateway, policy=POLICY)
    valkey.flushall()  # as after an hour
    let_pass(database, 1.0)
    run(healed, "verify")
    assert {payment_of(database, payment_id).state for payment_id in ids} == {State.SUCCESS}
    assert len({call.idempotency_key for call in gateway.calls}) == 2


def test_no_more_calls_are_out_than_a_gateway_may_have_and_the_rest_waits(
    database: Database, gated: Any
) -> None:
    release, entered = threading.Event(), threading.Semaphore(0)

    def slow(request: GatewayRequest) -> Outcome:
        entered.release()
        release.wait(10)
        return gateway.charge(request)

    gateway = ScriptedGateway("a", slow, max_concurrent=2)
    parts = gated(gateway)
    ids = [accept_one(database, f"k{number}").payment.id for number in range(5)]
    runner = threading.Thread(target=run, args=(parts, "payments"))
    runner.start()
    assert entered.acquire(timeout=10)
    assert entered.acquire(timeout=10)
    wait_for(lambda: len(waiting_jobs(database)) == 3)
    assert len(gateway.calls) == 2
    release.set()
    runner.join(20)
    for _ in range(5):
        make_due(database)
        run(parts, "payments")
    assert {payment_of(database, payment_id).state for payment_id in ids} == {State.SUCCESS}
    assert [gateway.charges_of(payment_id) for payment_id in ids] == [1] * 5


def test_every_place_and_permit_comes_back(database: Database, gated: Any, valkey: Redis) -> None:
    gateway, well = refusing("a", limits=BACK_SOON), ScriptedGateway("b")
    parts = gated(gateway, well)
    for number in range(20):
        accept_one(database, f"k{number}")
    for _ in range(4):
        run(parts, "payments")
        make_due(database)
    assert rows(database, "SELECT DISTINCT state FROM payments") == [{"state": "SUCCESS"}]
    views = gated(gateway, well).gates.views()
    out = {view.calls_out + view.probes_out for one in views.values() for view in one.values()}
    assert out == {0}


def waiting_jobs(database: Database) -> list[dict[str, Any]]:
    return rows(database, "SELECT id FROM jobs WHERE status = 'waiting'")


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(200):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError("it did not come about in 10 s")


def test_one_run_charges_what_had_to_wait_for_room_at_a_quick_gateway(database: Database, gated: Any) -> None:
    """Nobody hints at what waits for room: the sweep would let in as many as fit every five seconds."""
    gateway = ScriptedGateway("a", max_concurrent=2)
    payments = [accept_one(database, f"order-{number}").payment.id for number in range(6)]
    report = run(gated(gateway), "payments")
    assert report.waiting >= 4
    assert [payment_of(database, payment_id).state for payment_id in payments] == [State.SUCCESS] * 6


def test_a_run_does_not_stay_for_what_waits_for_a_slow_gateway(database: Database, gated: Any) -> None:
    gateway = ScriptedGateway("a", max_concurrent=1)
    parts = gated(gateway)
    asked = [Wanted("a", ("process",), "somebody-else's-1")]
    assert parts.gates.admit(asked)[0].granted
    parts.gates.report([CallResult(asked[0], 0, Said.SUCCESS, latency_ms=4000.0)])
    assert parts.gates.admit(asked)[0].granted, "and another call is out"
    payment_id = accept_one(database).payment.id
    report = run(parts, "payments")
    assert (report.claimed, report.waiting) == (1, 1)
    assert payment_of(database, payment_id).state is State.INITIATED
