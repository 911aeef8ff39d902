"""The lock in front of a payment saves contention and nothing else: without it, nothing is charged twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.payments import accept_one, make_due, pipeline, rows, story_of
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.outcomes import Declined, Outcome
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run

_LEASE_S, _ROUNDS = 0.3, 60
_UNDECIDED = "SELECT 1 FROM payments p JOIN jobs j ON j.payment_id = p.id WHERE p.state <> 'SUCCESS' AND NOT j.in_review"


@pytest.mark.row(50)
def test_pipelines_that_race_without_a_lock_charge_each_payment_once(database: Database) -> None:
    def slow(request: GatewayRequest) -> Outcome:
        number = int(request.idempotency_key[-6:-3], 16)
        time.sleep(number % 4 * 0.2)  # up to twice the lease: others take the job over during the call
        return Declined("issuer_unavailable", "91", "no way") if number % 3 == 0 else first.charge(request)

    def both_queues(parts: PipelineParts) -> None:
        run(parts, "payments")
        run(parts, "verify")

    limits: dict[str, Any] = {"connect_timeout_s": 0.05, "timeout_s": 0.05}
    first, second = ScriptedGateway("first", slow, **limits), ScriptedGateway("second", **limits)
    for number in range(30):
        accept_one(database, key=f"key-{number}")
    racing = [pipeline(database, first, second, lease_s=_LEASE_S, run_limit_s=1) for _ in range(4)]
    with ThreadPoolExecutor(len(racing)) as pool:
        for _ in range(_ROUNDS):
            list(pool.map(both_queues, racing))
            make_due(database)
            if not rows(database, _UNDECIDED):
                break
    assert rows(database, _UNDECIDED) == []
    payments = rows(database, "SELECT id, state FROM payments")
    # On a busy machine all of a payment's sends may have come too late, so it went to a person.
    assert sum(payment["state"] == "SUCCESS" for payment in payments) > len(payments) / 2
    for payment in payments:
        charges = first.charges_of(payment["id"]) + second.charges_of(payment["id"])
        assert charges == 1 or (charges == 0 and payment["state"] != "SUCCESS")
        story_of(database, payment["id"])
    # They did race: leases were taken over during calls.
    assert rows(database, "SELECT 1 FROM jobs WHERE lease_epoch > 1")
