"""What the gates' refusals do to payments that have waited, are in the middle of a hop, or were declined elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.payments import (
    POLICY,
    accept_one,
    attempts_of,
    job_of,
    let_pass,
    make_due,
    payment_of,
    pipeline,
)
from support.sandbox_process import eventually
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.breakers import BreakerLimits
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Unknown,
)
from aegis_worker.domain.retries import RetryLimits
from aegis_worker.domain.transitions import State
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.resilience.permits import CallResult, Said, Verdict, Wanted
from aegis_worker.routing.book import RoutingTable
from aegis_worker.routing.config import parse_routing

AN_HOUR = BreakerLimits(consecutive_failures=2, open_s=3600, max_open_s=3600)
ALL_STEPS = (Operation.INITIATE, Operation.AUTHENTICATE, Operation.PROCESS)


def made(database: Database, seconds_ago: float) -> None:
    """Every job was made so long ago."""
    age = f"UPDATE jobs SET created_at = created_at - interval '{seconds_ago} s'"
    database.run(lambda connection: connection.exec_driver_sql(age))


def trip(parts: PipelineParts, gateway: str, operation: str) -> None:
    """Two failed calls, which open the breaker."""
    for number in range(2):
        call = Wanted(gateway, (operation,), f"trip-{operation}-{number}")
        (verdict,) = parts.gates.admit([call])
        parts.gates.report([CallResult(call, verdict.epoch, Said.FAILURE, 1.0)])


def test_payments_older_than_the_wait_are_not_failed_because_a_gateway_is_full(
    database: Database, gated: Any
) -> None:
    """As after the workers were away: all are old, and more of them are due than fit in at once."""
    release = threading.Event()

    def slow(request: GatewayRequest) -> Outcome:
        release.wait(10)
        return gateway.charge(request)

    gateway = ScriptedGateway("a", slow, max_concurrent=2)
    parts = gated(gateway)
    ids = [accept_one(database, f"k{number}").payment.id for number in range(6)]
    made(database, POLICY.route_wait_s + 60)
    threading.Timer(0.3, release.set).start()
    for _ in range(4):
        run(parts, "payments")
        make_due(database)
    assert {payment_of(database, payment_id).state for payment_id in ids} == {State.SUCCESS}


def test_payments_beyond_a_gateways_rate_wait_and_are_all_charged_in_the_end(
    database: Database, gated: Any
) -> None:
    gateway = ScriptedGateway("a", calls_per_s=20)
    parts = gated(gateway)
    ids = [accept_one(database, f"k{number}").payment.id for number in range(12)]

    def ran_and_all_succeeded() -> bool:
        run(parts, "payments")
        return {payment_of(database, payment_id).state for payment_id in ids} == {State.SUCCESS}

    assert eventually(ran_and_all_succeeded)
    assert len(gateway.calls) == 12
    claims = [job_of(database, payment_id)["lease_epoch"] for payment_id in ids]
    assert min(claims) == 1 < max(claims), "some were claimed again, because they had to wait"


def test_nobody_waits_beyond_the_bound_for_a_breaker_that_stays_open_for_longer(
    database: Database, gated: Any
) -> None:
    parts = gated(ScriptedGateway("a", breaker=AN_HOUR))
    trip(parts, "a", "process")
    payment_id = accept_one(database).payment.id
    made(database, 100)
    run(parts, "payments")
    job = job_of(database, payment_id)
    assert job["status"] == "waiting"
    assert job["due_in_s"] <= POLICY.route_wait_s - 99


def test_a_hop_that_is_refused_halfway_gives_its_probe_permits_back(database: Database, gated: Any) -> None:
    # Long enough for a busy machine to be refused before the breaker lets a probe through.
    probing = BreakerLimits(consecutive_failures=2, open_s=1.5, max_open_s=1.5, open_jitter=0.0)
    gateway = ScriptedGateway("a", steps=ALL_STEPS, breaker=probing)
    parts = gated(gateway)
    trip(parts, "a", "process")
    original = gateway.initiating

    def initiate(request: GatewayRequest) -> Outcome:
        answer = original(request)
        # Meanwhile others find that authenticating is down.
        trip(parts, "a", "authenticate")
        return answer

    gateway.initiating = initiate
    payment_id = accept_one(database).payment.id
    threading.Event().wait(1.55)
    run(parts, "payments")
    assert [attempt["operation"] for attempt in attempts_of(database, payment_id)] == ["initiate"]
    assert parts.gates.views()["a"]["process"].probes_out == 0


def test_a_hop_that_is_refused_halfway_waits_where_the_other_gateway_is_down_too(
    database: Database, gated: Any
) -> None:
    gateway = ScriptedGateway("a", steps=ALL_STEPS, breaker=AN_HOUR)
    other = ScriptedGateway("b", breaker=AN_HOUR)
    parts = gated(gateway, other)

    def initiate(request: GatewayRequest) -> Outcome:
        trip(parts, "a", "authenticate")
        trip(parts, "b", "process")
        return Approved("int_1")

    gateway.initiating = initiate
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == ("waiting", "a has an open breaker")
    run(parts, "payments")
    assert payment_of(database, payment_id).state is State.INITIATED


def test_a_gateway_that_was_never_tried_is_waited_for_where_the_first_is_not_tried_again(
    database: Database, gated: Any
) -> None:
    once = RetryLimits(max_attempts=1)
    parts = gated(
        ScriptedGateway("a", lambda request: NotSent("refused"), retry=once),
        ScriptedGateway("b", breaker=AN_HOUR),
    )
    trip(parts, "b", "process")
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"].split(":")[0]) == ("waiting", "no gateway takes it now")


def test_a_payment_whose_payer_was_sent_somewhere_waits_for_no_other_gateway(
    database: Database, gated: Any
) -> None:
    """Its gateway knows nothing of it any more; the payer can't be asked a second time."""
    gateway = ScriptedGateway("a", steps=ALL_STEPS[1:], key_lifetime_s=0, absence_window_s=1)
    gateway.authenticating = lambda request: ActionRequired("auth_1", Redirect("https://bank.example/3ds"))
    parts = gated(gateway, ScriptedGateway("b", breaker=AN_HOUR))
    trip(parts, "b", "process")
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    for _ in range(3):
        let_pass(database, 1.0)
        run(parts, "verify")
    assert payment_of(database, payment_id).state is State.FAILURE


@pytest.mark.slow
def test_permits_for_calls_that_could_not_be_written_come_back(database: Database, gated: Any) -> None:
    """Between the gates and the commit somebody else locks the job, for longer than the worker waits."""
    parts = gated(ScriptedGateway("a"), lease_s=1)
    gates = parts.gates
    accept_one(database)
    other = database.engine.connect()

    class Locking:
        def __getattr__(self, name: str) -> Any:
            return getattr(gates, name)

        def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
            other.exec_driver_sql("SELECT FROM jobs FOR UPDATE")
            verdicts: list[Verdict] = gates.admit(wanted)
            return verdicts

    with other, pytest.raises(DatabaseUnavailable):
        run(replace(parts, gates=Locking()), "payments")
    assert gates.views()["a"]["process"].calls_out == 0
    call = Wanted("a", ("process",), "another")
    assert [verdict.granted for verdict in gates.admit([call])] == [True]
    assert gates._places["a"].out("process", time.monotonic()) == 1


def test_what_a_hop_was_decided_by_stands_on_its_first_step(database: Database, gated: Any) -> None:
    parts = gated(ScriptedGateway("a", steps=ALL_STEPS))
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    assert [set(attempt["decision"]) for attempt in attempts_of(database, payment_id)] == [
        {"candidates", "because", "strategy", "version"},
        {"because"},
        {"because"},
    ]


def test_what_is_said_of_the_first_candidate_is_not_said_of_the_second(database: Database) -> None:
    """In one run, so that both hops go by one decision."""
    every = {"field": "amount", "operator": "gt", "value": 0}
    rule = {"id": "all-to-a", "priority": 1, "conditions": [every], "gateway": "a"}
    declines = ScriptedGateway("a", lambda request: Declined("issuer_unavailable", "91"))
    parts = pipeline(database, declines, ScriptedGateway("b"), routing=lambda: put(rules=[rule]))
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    first, second = (attempt["decision"] for attempt in attempts_of(database, payment_id))
    assert (first["rule"], second["because"]) == ("all-to-a", "next of the same decision")
    assert "rule" not in second


def test_a_payment_that_is_asked_about_takes_no_second_turn(database: Database, gated: Any) -> None:
    """Else, of two gateways, every payment that is looked up once would go to the same one."""

    def charge_and_lose(gateway: ScriptedGateway) -> None:
        def lose(request: GatewayRequest) -> Outcome:
            gateway.charge(request)
            return Unknown("reset")

        gateway._script = lose

    gateways = ScriptedGateway("a"), ScriptedGateway("b")
    for gateway in gateways:
        charge_and_lose(gateway)
    parts = gated(*gateways, routing=lambda: put(strategy="ROUND_ROBIN"))
    for number in range(4):
        accept_one(database, f"k{number}")
        run(parts, "payments")
        make_due(database)
        run(parts, "verify")
    assert [len(gateway.charges) for gateway in gateways] == [2, 2]


@pytest.mark.parametrize("answer", [Approved("int_1"), Unknown("reset")])
def test_a_step_that_its_gateway_no_longer_takes_is_gone_on_from(database: Database, answer: Outcome) -> None:
    """As after an upgrade of an adapter, with payments halfway."""
    before = ScriptedGateway("a", steps=ALL_STEPS)
    before.initiating = lambda request: Unknown("reset")
    before.look_up = lambda query: Unknown("down")
    payment_id = accept_one(database).payment.id
    run(pipeline(database, before), "payments")
    after = ScriptedGateway("a")
    after.look_up = lambda query: answer if isinstance(answer, Approved) else NotFound()
    make_due(database)
    run(pipeline(database, after), "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert after.charges_of(payment_id) == 1


def put(**document: Any) -> RoutingTable:
    """What an operator has put."""
    config = parse_routing(document, gateways=("a", "b"), where="test")
    return RoutingTable(config, 1, "put", frozenset())


def test_a_payer_who_has_paid_at_a_gateway_is_sent_to_no_other_while_it_is_down(
    database: Database, gated: Any
) -> None:
    gateway = ScriptedGateway("a", steps=(Operation.AUTHENTICATE, Operation.PROCESS), breaker=AN_HOUR)
    gateway.capabilities = replace(gateway.capabilities, payer_pays_first=True, closes=False)
    gateway.authenticating = lambda request: ActionRequired("auth_1", Redirect("https://bank.example/pay"))
    gateway.look_up = lambda query: Approved("auth_1", captured=False)
    other = ScriptedGateway("b")
    parts = gated(gateway, other)
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    trip(parts, "a", "process")
    for _ in range(3):
        made(database, POLICY.route_wait_s + 60)
        let_pass(database, POLICY.route_wait_s + 60)
        run(parts, "verify")
        run(parts, "payments")
    job = job_of(database, payment_id)
    assert (job["status"], job["reason"]) == ("waiting", "a has an open breaker")
    assert payment_of(database, payment_id).state is State.AUTHENTICATED
    assert other.calls == []


def test_who_has_just_authenticated_waits_for_the_charge_however_old_the_payment_is(
    database: Database, gated: Any
) -> None:
    gateway = ScriptedGateway("a", steps=(Operation.AUTHENTICATE, Operation.PROCESS), breaker=AN_HOUR)
    gateway.authenticating = lambda request: ActionRequired("auth_1", Redirect("https://bank.example/3ds"))
    gateway.look_up = lambda query: ActionRequired("auth_1", Redirect("https://bank.example/3ds"))
    parts = gated(gateway)
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    made(database, POLICY.route_wait_s + 60)
    trip(parts, "a", "process")
    gateway.look_up = lambda query: Approved("auth_1")
    make_due(database)
    run(parts, "verify")
    assert (payment_of(database, payment_id).state, job_of(database, payment_id)["status"]) == (
        State.AUTHENTICATED,
        "waiting",
    )
