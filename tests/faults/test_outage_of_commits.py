"""Who dies of a payment and who could only not write: a person is asked about the first, and never about the second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from sqlalchemy import event
from sqlalchemy.engine import make_url
from support.payments import (
    A_RING,
    POLICY,
    AlwaysGrants,
    OpenGates,
    accept_one,
    end_leases,
    job_of,
    make_due,
    pipeline,
    rows,
    story_of,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.jobs import ClaimedJob
from aegis_worker.domain.outcomes import Lookup, Outcome
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.gateways.requests import GatewayRequest, StatusQuery
from aegis_worker.persistence.claims import begin, claim
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.job_store import PostgresJobs
from aegis_worker.pipeline.hand import Hand
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.resilience.permits import Verdict, Wanted

CAUTIOUS = replace(POLICY, poison_cap=3)
ROUNDS = CAUTIOUS.poison_cap + 2
QUICK: dict[str, Any] = {"connect_timeout_s": 0.1, "timeout_s": 0.1}
# As a full disk says it.
REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$;
"""
WHICH = {
    "every commit": "AFTER INSERT OR UPDATE ON jobs",
    "all but claims": "AFTER INSERT OR UPDATE ON attempts",
    "of answers": "AFTER UPDATE ON attempts",
}


@contextmanager
def commits_fail(database: Database, which: str) -> Iterator[None]:
    """Each such transaction goes well until it commits."""
    trigger = f"CREATE CONSTRAINT TRIGGER outage {WHICH[which]} DEFERRABLE INITIALLY DEFERRED"
    on = trigger.rpartition(" ON ")[2].split()[0]
    statements = f"{REFUSE} {trigger} FOR EACH ROW EXECUTE FUNCTION refuse()"
    database.run(lambda tx: tx.exec_driver_sql(statements))
    yield
    database.run(lambda tx: tx.exec_driver_sql(f"DROP TRIGGER outage ON {on}; DROP FUNCTION refuse()"))


@contextmanager
def commits_are_not_heard_of(database: Database, end_backend: Callable[[int], None]) -> Iterator[None]:
    """Each transaction commits, and its client is cut off before it learns that."""

    def cut(connection: Any) -> None:
        raw = connection.connection.dbapi_connection
        raw.commit()
        raw.cursor().execute("SELECT 1")  # so that the driver sends its COMMIT, and learns nothing
        end_backend(raw.info.backend_pid)

    event.listen(database.engine, "commit", cut)
    yield
    event.remove(database.engine, "commit", cut)


@pytest.fixture
def end_backend(stores) -> Callable[[int], None]:
    url = make_url(stores.postgres.url).set(drivername="postgresql", username="postgres")

    def end(pid: int) -> None:
        with psycopg2.connect(url.render_as_string(hide_password=False)) as connection:
            connection.cursor().execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    return end


def cautious(database: Database, *gateways: ScriptedGateway, **changes: Any) -> PipelineParts:
    return pipeline(database, *gateways, policy=CAUTIOUS, **changes)


def accept_several(database: Database, number: int = 20) -> list[str]:
    return [accept_one(database, f"k{i}").payment.id for i in range(number)]


def flow_on(database: Database, gateway: ScriptedGateway) -> None:
    parts = cautious(database, gateway)
    for _ in range(2):
        end_leases(database)
        make_due(database)
        run(parts, "payments")
        run(parts, "verify")


def assert_all_charged_once(database: Database, ids: list[str], gateway: ScriptedGateway) -> None:
    assert rows(database, "SELECT DISTINCT status, claim_count FROM jobs") == [
        {"status": "succeeded", "claim_count": 0}
    ]
    assert [gateway.charges_of(id_) for id_ in ids] == [1] * len(ids)
    assert {story_of(database, id_)[-1] for id_ in ids} == {"SUCCEEDED"}


@pytest.mark.slow
@pytest.mark.row(70)
@pytest.mark.parametrize("which", WHICH)
def test_an_outage_of_commits_is_no_death_of_a_worker(database, which):
    gateway = ScriptedGateway("a", **QUICK)
    ids = accept_several(database)
    with commits_fail(database, which):
        for _ in range(ROUNDS):
            with suppress(DatabaseUnavailable):
                run(cautious(database, gateway, lease_s=0.8), "payments")
            if which != "every commit":
                end_leases(database)
                make_due(database)
    flow_on(database, gateway)
    assert_all_charged_once(database, ids, gateway)


@pytest.mark.row(70)
@pytest.mark.slow
def test_claims_that_nobody_heard_of_are_no_deaths(database, end_backend):
    gateway = ScriptedGateway("a", **QUICK)
    ids = accept_several(database)
    for _ in range(ROUNDS):
        with commits_are_not_heard_of(database, end_backend), suppress(DatabaseUnavailable):
            run(cautious(database, gateway, lease_s=0.8, batch=len(ids)), "payments")
        assert {row["status"] for row in rows(database, "SELECT status FROM jobs")} == {"running"}
        end_leases(database)
    assert gateway.calls == []
    flow_on(database, gateway)
    assert_all_charged_once(database, ids, gateway)


@pytest.mark.row(70)
@pytest.mark.slow
def test_a_lock_that_another_holds_is_no_death_of_who_waits_for_it(database):
    gateway = ScriptedGateway("a", **QUICK)
    ids = accept_several(database, 5)
    with database.engine.connect() as holder:
        holder.exec_driver_sql("SELECT 1 FROM payments FOR UPDATE")
        for _ in range(ROUNDS - 1):
            with suppress(DatabaseUnavailable):
                run(cautious(database, gateway, lease_s=0.8), "payments")
            end_leases(database)
            make_due(database)
        holder.rollback()
    assert gateway.calls == []
    flow_on(database, gateway)
    assert_all_charged_once(database, ids, gateway)


@pytest.mark.row(70)
def test_what_could_not_be_given_back_is_given_back_by_the_next_run_of_its_process(database):
    """PostgreSQL is away from the claim until after the run: nobody waits for the lease of a worker that lives."""
    (payment_id,) = accept_several(database, 1)
    gateway = ScriptedGateway("a", **QUICK)

    class AwayOnceLocked(AlwaysGrants):
        def acquire(self, payment_ids, *, ttl_ms):
            outage.__enter__()
            return super().acquire(payment_ids, ttl_ms=ttl_ms)

    outage = commits_fail(database, "every commit")
    parts = cautious(database, gateway, lease_s=0.8, locks=AwayOnceLocked())
    with pytest.raises(DatabaseUnavailable):
        run(parts, "payments")
    outage.__exit__(None, None, None)
    assert job_of(database, payment_id)["status"] == "running"
    long_lease = "UPDATE jobs SET lease_until = now() + interval '1 hour'"
    database.run(lambda tx: tx.exec_driver_sql(long_lease))
    after = cautious(database, gateway, owed=parts.owed)
    run(after, "payments")
    assert job_of(database, payment_id)["status"] == "waiting"
    make_due(database)
    run(after, "payments")
    assert_all_charged_once(database, [payment_id], gateway)


@pytest.mark.row(70)
@pytest.mark.parametrize("told", ["before the next claim", "after the next claim"])
def test_a_worker_that_wakes_up_after_all_has_not_died(database, told):
    (payment_id,) = accept_several(database, 1)

    def claimed() -> list[ClaimedJob]:
        jobs: list[ClaimedJob] = database.run(
            lambda tx: claim(tx, "payments", limit=9, lease_s=90, worker="w")
        )
        return jobs

    for _ in range(ROUNDS):
        sleeper = Hand(PostgresJobs(database, A_RING), cautious(database).owed)
        slept = claimed()
        sleeper.take(slept)
        database.run(lambda tx, slept=slept: begin(tx, slept))
        end_leases(database)
        if told == "before the next claim":
            sleeper.lost(job.id for job in slept)
        claimed()
        if told == "after the next claim":
            sleeper.lost(job.id for job in slept)
        end_leases(database)
    assert job_of(database, payment_id)["claim_count"] == 0


class Death(BaseException):
    """The end of a worker."""


@pytest.mark.row(70)
@pytest.mark.parametrize("dies", ["before it writes", "in its call"])
def test_a_payment_that_kills_its_workers_is_asked_about_and_others_of_its_batch_are_not(database, dies):
    poison = accept_one(database, "poison").payment.id
    others = accept_several(database, 5)

    class DeadlyToAsk(OpenGates):
        def admit(self, wanted: Sequence[Wanted]) -> list[Verdict]:
            if dies == "before it writes" and any(want.operation_id.startswith(poison) for want in wanted):
                raise Death
            return super().admit(wanted)

    def deadly_to_call(request: GatewayRequest) -> Outcome:
        if request.payment_id == poison:
            raise Death
        return gateway.charge(request)

    def deadly_to_look_up(query: StatusQuery) -> Lookup:
        if query.reference.startswith(poison):
            raise Death
        return gateway.by_ledger(query)

    gateway = ScriptedGateway("a", deadly_to_call)
    gateway.look_up = deadly_to_look_up
    parts = cautious(database, gateway, gates=DeadlyToAsk())
    deaths = 0
    for _ in range(ROUNDS):
        try:
            run(parts, "payments")
        except Death:
            deaths += 1
        end_leases(database)
        make_due(database)
    assert job_of(database, poison)["status"] == "review"
    assert deaths in (CAUTIOUS.poison_cap, CAUTIOUS.poison_cap + 1)
    assert {job_of(database, id_)["status"] for id_ in others} == {"succeeded"}
    assert [gateway.charges_of(id_) for id_ in others] == [1] * len(others)


@pytest.mark.slow
@pytest.mark.row(70)
def test_a_payment_whose_rows_postgresql_refuses_every_time_is_asked_about(database):
    refused, fine = accept_several(database, 2)
    no_luck = f"ALTER TABLE attempts ADD CONSTRAINT no_luck CHECK (payment_id <> '{refused}')"
    database.run(lambda tx: tx.exec_driver_sql(no_luck))
    gateway = ScriptedGateway("a")
    for _ in range(ROUNDS):
        run(cautious(database, gateway), "payments")
        end_leases(database)
        make_due(database)
    assert (job_of(database, refused)["status"], job_of(database, fine)["status"]) == ("review", "succeeded")
    assert gateway.charges_of(refused) == 0
