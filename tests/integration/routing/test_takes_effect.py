"""What operators change about routing holds for the payments of a worker that goes on running."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from support.payments import accept_one, attempts_of, job_of, let_pass, make_due, payment_of, pipeline
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Outcome, Unknown
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.looked_up import LOOK_EVERY_S
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.changes import ROUTING, pause_gateway, resume_gateway
from aegis_worker.routing.config import RoutingConfig

NAMES = ("a", "b")
WHO: dict[str, Any] = {"actor": "cli:asha", "reason": "their maintenance window"}


@dataclass
class Installation:
    """A worker with two gateways, and the clock of its routing book."""

    database: Database
    a: ScriptedGateway
    b: ScriptedGateway
    parts: PipelineParts
    now_s: float = 0.0

    def pay(self, key: str) -> str | None:
        """Accept a payment and work on it, some seconds after whatever happened before; the gateway it went to."""
        self.now_s += LOOK_EVERY_S
        payment_id = accept_one(self.database, key).payment.id
        run(self.parts, "payments")
        return payment_of(self.database, payment_id).gateway

    def pause(self, gateway: str) -> None:
        pause_gateway(self.database, gateway, known=NAMES, **WHO)

    def resume(self, gateway: str) -> None:
        resume_gateway(self.database, gateway, known=NAMES, actor="cli:asha")


def started(database: Database, a: ScriptedGateway) -> Installation:
    b = ScriptedGateway("b")
    installation = Installation(database, a, b, pipeline(database, a, b))
    book = RoutingBook(database, RoutingConfig(), NAMES, clock=lambda: installation.now_s)
    installation.parts = replace(installation.parts, routing=book.current)
    return installation


@pytest.fixture
def running(database: Database) -> Installation:
    """Both gateways approve everything."""
    return started(database, ScriptedGateway("a"))


def test_a_configuration_that_is_put_holds_for_the_next_payment(running: Installation) -> None:
    assert running.pay("k1") == "a"
    ROUTING.put(running.database, RoutingConfig(fallback=("b",)), **WHO)
    assert running.pay("k2") == "b"
    ROUTING.put(running.database, None, **WHO)
    assert running.pay("k3") == "a"


def test_a_paused_gateway_gets_no_new_payments(running: Installation) -> None:
    running.pause("a")
    assert running.pay("k1") == "b"
    running.resume("a")
    assert running.pay("k2") == "a"


def test_where_every_gateway_is_paused_payments_wait_and_none_fails(running: Installation) -> None:
    for name in NAMES:
        running.pause(name)
    payment_id = accept_one(running.database, "k1").payment.id
    run(running.parts, "payments")
    assert payment_of(running.database, payment_id).state is State.INITIATED
    assert attempts_of(running.database, payment_id) == []
    job = job_of(running.database, payment_id)
    assert job["status"] == "waiting"
    assert 0 < job["put_off_s"] <= 60
    running.resume("b")
    running.now_s += LOOK_EVERY_S
    make_due(running.database)
    run(running.parts, "payments")
    assert payment_of(running.database, payment_id).state is State.SUCCESS


def test_what_is_open_at_a_paused_gateway_is_still_looked_after(database: Database) -> None:
    def charges_and_is_silent(request: GatewayRequest) -> Outcome:
        gateway.charge(request)
        return Unknown("read timeout")

    gateway = ScriptedGateway("a", charges_and_is_silent)
    running = started(database, gateway)
    payment_id = accept_one(database, "k1").payment.id
    run(running.parts, "payments")
    assert payment_of(database, payment_id).certainty == "unknown"
    running.pause("a")
    running.now_s += LOOK_EVERY_S
    let_pass(database, 60)
    run(running.parts, "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert gateway.charges_of(payment_id) == 1
