"""Each guard holds a row of the matrix: with it the row's scenario charges once, and without it twice.

A guard is taken away by changing the product while the test runs. The lock in front is no guard: every scenario here runs
with one that always grants.
"""

from __future__ import annotations

import dataclasses
import random
import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection
from support.guard_scenarios import (
    a_frozen_worker_is_refused,
    a_worker_dies_during_its_call,
    an_answer_is_lost_and_look_ups_lag,
)
from support.payments import accept_one, end_leases, make_due, pipeline, rows, story_of
from support.sandbox_pair import SandboxPair, running_pair
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.changes import Change
from aegis_worker.domain.outcomes import Outcome, Unknown
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence import job_store
from aegis_worker.persistence import record as record_module
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.record import record
from aegis_worker.pipeline.operations import answers
from aegis_worker.pipeline.operations.requests import request_for
from aegis_worker.pipeline.run import run

FENCE = "c.lease_epoch = CASE j.status WHEN 'running' THEN j.lease_epoch END"


@pytest.fixture(scope="module")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPair]:
    with running_pair(tmp_path_factory.mktemp("with_keys")) as pair:
        yield pair


@pytest.fixture(scope="module")
def without_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPair]:
    with running_pair(tmp_path_factory.mktemp("without_keys"), "--no-idempotency") as pair:
        yield pair


@pytest.fixture
def no_fence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has claimed a job at some time may write for it."""
    fenced = record_module._RECORD
    assert FENCE in fenced.sql
    unfenced = dataclasses.replace(
        fenced, name="record_unfenced", sql=fenced.sql.replace(FENCE, "j.status = 'running'")
    )
    monkeypatch.setattr(record_module, "_RECORD", unfenced)


@pytest.fixture
def attempt_after_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attempt is written together with its answer, and not before the call."""
    kept: dict[str, Change] = {}

    def late(connection: Connection, changes: Sequence[Change], *, lease_s: float) -> set[str]:
        openings = [
            replace(
                kept.pop(change.job_id),
                payment=change.payment,
                events=(),
                version_before=change.payment.version,
            )
            for change in changes
            if change.answered and change.job_id in kept
        ]
        kept.update({change.job_id: change for change in changes if change.opened})
        record(connection, openings, lease_s=lease_s)
        return record(connection, [replace(change, opened=None) for change in changes], lease_s=lease_s)

    monkeypatch.setattr(job_store, "record", late)


@pytest.fixture
def new_key_for_each_send(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated call gets a key of its own."""
    monkeypatch.setattr(
        answers,
        "request_for",
        lambda *facts: replace(request_for(*facts), idempotency_key=uuid.uuid4().hex),
    )


@pytest.mark.row(26)
def test_a_frozen_worker_that_was_refused_sends_the_payment_nowhere_else(database: Database) -> None:
    assert a_frozen_worker_is_refused(database) == 1


@pytest.mark.usefixtures("no_fence")
def test_without_the_fence_a_frozen_worker_has_the_payment_charged_elsewhere_as_well(
    database: Database,
) -> None:
    assert a_frozen_worker_is_refused(database) == 2


@pytest.mark.row(25)
def test_a_dead_workers_charge_is_not_repeated_at_a_gateway_without_keys(
    database: Database, without_keys: SandboxPair
) -> None:
    assert a_worker_dies_during_its_call(database, without_keys) == 1


@pytest.mark.usefixtures("attempt_after_the_call")
def test_with_the_attempt_written_after_the_call_a_dead_workers_charge_is_repeated(
    database: Database, without_keys: SandboxPair
) -> None:
    assert a_worker_dies_during_its_call(database, without_keys) == 2


@pytest.mark.row(31)
def test_a_call_that_is_repeated_because_look_ups_lag_charges_once(
    database: Database, sandboxes: SandboxPair
) -> None:
    assert an_answer_is_lost_and_look_ups_lag(database, sandboxes) == 1


@pytest.mark.usefixtures("new_key_for_each_send")
def test_with_a_new_key_for_each_send_a_repeated_call_charges_twice(
    database: Database, sandboxes: SandboxPair
) -> None:
    assert an_answer_is_lost_and_look_ups_lag(database, sandboxes) == 2


@pytest.mark.row(50)
def test_a_lock_that_always_grants_lets_nothing_be_charged_twice_while_leases_end_under_their_holders(
    database: Database,
) -> None:
    gateways = [forgetful(name) for name in ("a", "b")]
    ids = [accept_one(database, f"k{number}").payment.id for number in range(25)]
    parts = pipeline(database, *gateways, calls_in_flight=4, run_limit_s=1)
    done = threading.Event()
    with ThreadPoolExecutor(5) as pool:
        pool.submit(steal_leases, database, done)
        try:
            for _ in range(3):
                list(pool.map(lambda queue: run(parts, queue), ["payments", "verify"] * 2))
                make_due(database)
        finally:
            done.set()
    end_leases(database)
    for _ in range(4):
        make_due(database)
        run(parts, "payments")
        run(parts, "verify")
    assert [sum(gateway.charges_of(id_) for gateway in gateways) for id_ in ids] == [1] * 25
    assert {story_of(database, id_)[-1] for id_ in ids} == {"SUCCEEDED"}
    assert rows(database, "SELECT DISTINCT status FROM jobs") == [{"status": "succeeded"}]


def forgetful(name: str) -> ScriptedGateway:
    """A gateway that always charges; two of five answers are lost."""
    draw = random.Random(name)

    def script(request: GatewayRequest) -> Outcome:
        answer = gateway.charge(request)
        return Unknown("read timeout") if draw.random() < 0.4 else answer

    gateway = ScriptedGateway(name, script)
    return gateway


def steal_leases(database: Database, done: threading.Event) -> None:
    """Let every lease run out, again and again, however alive its holder is."""
    while not done.wait(0.01):
        end_leases(database)
