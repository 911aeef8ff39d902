"""Payments that wait for a person, for tests of people's decisions."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.changes import Change, JobChange
from aegis_worker.domain.outcomes import Unknown, UnknownKind
from aegis_worker.domain.screening import Action, Finding, Screening, screened
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.work import Policy
from support.payments import A_RING, accept_one, job_of, pipeline
from support.scripted_gateway import ScriptedGateway

# A policy under which the first look-up without an answer hands the payment to a person.
HASTY = Policy(max_attempts=3, verify_ladder_s=(0.001,), poison_cap=5)
WHY, SEEN = "settlement report of 20 November", "https://dashboard.example/charges/ch_77"
DOWN = Unknown("status is down", kind=UnknownKind.HTTP_5XX)


def doubtful(*, name: str = "a", charges: bool = False, **options: Any) -> ScriptedGateway:
    """A gateway that never answers charges, and whose look-ups fail."""

    def script(request: Any) -> Any:
        if charges:
            gateway.charge(request)
        return Unknown("read timeout")

    gateway = ScriptedGateway(name, script, **options)
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


def screened_as(database: Database, *actions: Action, key: str = "key-1", **changes: Any) -> str:
    """A payment of which hooks said this, as a worker writes it down, and that nothing was done with since."""
    payment_id = accept_one(database, key, **changes).payment.id
    jobs = PostgresJobs(database, A_RING)
    claimed = next(
        job
        for job in jobs.claim("payments", limit=64, lease_s=90, worker="w")
        if job.payment.id == payment_id
    )
    found = Screening(tuple(Finding("hook shop:fraud", action, "on our list", 90) for action in actions))
    payment, events = claimed.payment.record([screened(found)])
    waiting = JobChange("waiting", "payments")
    change = Change(claimed.id, claimed.lease_epoch, payment, claimed.payment.version, events, waiting)
    assert jobs.record([change], {}, lease_s=90) == {claimed.id}
    return payment_id


def held_back(database: Database, *actions: Action, **changes: Any) -> str:
    """A payment that waits for a person before anything is sent."""
    payment_id = screened_as(database, *(actions or (Action.REVIEW,)), **changes)
    run(pipeline(database, ScriptedGateway("never_called")), "payments")
    assert job_of(database, payment_id)["status"] == "review"
    return payment_id
