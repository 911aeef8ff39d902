"""Payments that wait for a person, for tests of people's decisions."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.outcomes import Unknown, UnknownKind
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.work import Policy
from support.payments import accept_one, job_of, pipeline
from support.scripted_gateway import ScriptedGateway

# A policy under which the first look-up without an answer hands the payment to a person.
HASTY = Policy(max_attempts=3, verify_ladder_s=(0.001,), poison_cap=5)
WHY, SEEN = "settlement report of 20 November", "https://dashboard.example/charges/ch_77"
DOWN = Unknown("status is down", kind=UnknownKind.HTTP_5XX)


def doubtful(*, charges: bool = False, **options: Any) -> ScriptedGateway:
    """A gateway that never answers charges, and whose look-ups fail."""

    def script(request: Any) -> Any:
        if charges:
            gateway.charge(request)
        return Unknown("read timeout")

    gateway = ScriptedGateway("a", script, **options)
    gateway.look_up = lambda query: DOWN
    return gateway


def in_review(database: Database, *gateways: Any, key: str = "key-1", **changes: Any) -> str:
    """A payment that its gateways left in doubt until it was handed to a person."""
    parts = pipeline(database, *gateways, policy=HASTY)
    payment_id = accept_one(database, key, **changes).payment.id
    run(parts, "payments")
    database.run(lambda tx: tx.exec_driver_sql("UPDATE jobs SET run_at = now() WHERE status = 'waiting'"))
    run(parts, "verify")
    assert job_of(database, payment_id)["status"] == "review"
    return payment_id
