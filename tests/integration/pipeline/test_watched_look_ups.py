"""Look-ups that no job makes, of comparisons, rechecks, people and disputes: measured, and spans of the task that asks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection
from support.metering import Counted, metering
from support.otlp_collector import Collector, a_collector
from support.payments import accept_one, pipeline
from support.sandbox_pair import adapter
from support.sandbox_process import Sandbox, running_sandbox

from aegis_worker.domain.disputes import DisputedCharge
from aegis_worker.domain.exchanges import CallKind, Noted
from aegis_worker.exchange.loaded import LoadedGateway
from aegis_worker.exchange.noting import MOST_TOLD
from aegis_worker.gateway_events.disputes import Subject, ask_about
from aegis_worker.hints import NoHints
from aegis_worker.observability.tracing import TRACING
from aegis_worker.observation_settings import ObservationSettings, load_observation_settings
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.exchange_rows import PostgresExchanges
from aegis_worker.pipeline.exchanges import Exchanges
from aegis_worker.pipeline.recheck import RecheckParts, recheck
from aegis_worker.pipeline.run import run
from aegis_worker.queries.exchanges import StoredExchange, exchanges_of
from aegis_worker.reconcile import ReconcileParts, reconcile
from aegis_worker.review.asking import ask
from aegis_worker.review.loading import load


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("watched")) as running:
        yield running


@pytest.fixture
def gateway(sandbox: Sandbox) -> Iterator[LoadedGateway]:
    made = adapter(sandbox)
    yield made
    made.close_connections()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with a_collector() as running:
        environ = {"AEGIS_TRACES": "otlp", "AEGIS_TRACE_SHARE": "1", "AEGIS_OTLP_ENDPOINT": running.endpoint}
        TRACING.configure(load_observation_settings(environ), {"service.name": "aegispay"})
        yield running
        TRACING.configure(ObservationSettings(), {})


@pytest.fixture
def counted() -> Iterator[Counted]:
    with metering() as counted:
        yield counted


@pytest.fixture
def task(collector: Collector) -> Iterator[str]:
    """The test is a worker's task; its trace."""
    span = TRACING.root("task of a test", "consumer")
    assert span is not None
    TRACING.work_for(span)
    yield f"{span.get_span_context().trace_id:032x}"
    TRACING.work_for(None)
    span.end()


def paid(database: Database, gateway: LoadedGateway, token: str = "tok_visa") -> str:
    payment_id = accept_one(database, payment_method={"type": "card", "token": token}).payment.id
    parts = replace(pipeline(database, gateway), exchanges=kept_in(database))
    run(parts, "payments")
    parts.exchanges.write()
    return payment_id


def kept_in(database: Database) -> Exchanges:
    return Exchanges(PostgresExchanges(database))


def kept(database: Database, payment_id: str) -> Sequence[StoredExchange]:
    with database.read() as connection:
        return exchanges_of(connection, payment_id)


def look_ups(collector: Collector, trace: str) -> list[tuple[str, dict[str, Any]]]:
    """The spans of this trace that ask a gateway, with what they say."""
    TRACING.flush()
    asked = [span for span in collector.spans if span.trace_id.hex() == trace and "aegis." in str(span)]
    return [(span.name, {one.key: one.value.string_value for one in span.attributes}) for span in asked]


def test_a_comparison_shows_what_each_gateway_said(
    database: Database, gateway: LoadedGateway, collector: Collector, task: str, counted: Counted
) -> None:
    payment_id = paid(database, gateway)
    parts = ReconcileParts(database, {"sandbox_a": gateway}, NoHints(), lambda: None, kept_in(database))
    reconcile(parts, trigger="operator", dry_run=True, since=datetime.now(UTC) - timedelta(hours=1))
    assert [one.exchange.because for one in kept(database, payment_id)] == [None]  # that of the charge
    ((name, said),) = look_ups(collector, task)
    assert (name, said["aegis.outcome"], said["aegis.payment_id"]) == (
        "sandbox_a look-up",
        "approved",
        payment_id,
    )
    assert counted.timed("aegis_gateway_call_duration_seconds", "sandbox_a", "status", "approved") == 1


def test_a_comparison_that_finds_a_difference_keeps_what_was_exchanged(
    database: Database, gateway: LoadedGateway
) -> None:
    payment_id = paid(database, gateway)
    for changed in (
        "ALTER TABLE payments DISABLE TRIGGER USER",
        "UPDATE payments SET amount_minor = 700, captured_minor = 700",
    ):
        database.run(partial(Connection.exec_driver_sql, statement=changed))
    parts = ReconcileParts(database, {"sandbox_a": gateway}, NoHints(), lambda: None, kept_in(database))
    run = reconcile(parts, trigger="operator", dry_run=True, since=datetime.now(UTC) - timedelta(hours=1))
    assert run.found["mismatches"] == 1
    sent, compared = kept(database, payment_id)
    assert (compared.operation, compared.number, compared.kind) == (sent.operation, sent.number, "look_up")
    assert compared.exchange.because == "comparison"
    assert compared.exchange.answer is not None


def test_the_longest_that_is_kept_has_room_for_why_it_was_asked(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    exchanges = kept_in(database)
    note = exchanges.noting_look_up(payment_id, "process", 1, "comparison")
    assert note is not None
    without = b'{"took_ms":1.0,"request":{"method":"GET","path":"/x","headers":{},"bytes":0,"body":"%s"}}'
    note(Noted(time.monotonic(), (without % (b"x" * (MOST_TOLD - len(without) + 2))).decode()))
    exchanges.write()
    assert [one.exchange.because for one in kept(database, payment_id)] == ["comparison"]


def test_a_recheck_shows_that_nothing_came_about_and_keeps_its_exchange(
    database: Database, gateway: LoadedGateway, collector: Collector, task: str, counted: Counted
) -> None:
    payment_id = paid(database, gateway, "tok_hard_lost_card")
    database.run(lambda tx: tx.exec_driver_sql("UPDATE attempts SET recheck_at = now()"))
    parts = RecheckParts(database, {"sandbox_a": gateway}, NoHints(), (900.0, 3600.0), kept_in(database))
    assert recheck(parts) == {"asked": 1, "found": 0}
    ((name, said),) = look_ups(collector, task)
    assert (name, said["aegis.outcome"]) == ("sandbox_a look-up", "declined")
    assert counted.timed("aegis_gateway_call_duration_seconds", "sandbox_a", "status", "declined") == 1
    sent, asked = kept(database, payment_id)
    assert [one.kind for one in (sent, asked)] == [CallKind.SEND, CallKind.LOOK_UP]
    assert asked.exchange.because is None
    assert asked.exchange.answer is not None
    assert asked.exchange.answer.status == 200


def test_what_is_asked_before_a_persons_decision_is_shown(
    database: Database, gateway: LoadedGateway, collector: Collector, task: str, counted: Counted
) -> None:
    payment_id = paid(database, gateway)
    with database.read() as connection:
        case = load(connection, payment_id)
    assert case is not None
    (said,) = ask({"sandbox_a": gateway}, case, case.charges, exchanges=kept_in(database))
    assert said.is_proof
    ((name, told),) = look_ups(collector, task)
    assert (name, told["aegis.outcome"]) == ("sandbox_a look-up", "approved")
    sent, asked = kept(database, payment_id)
    assert (asked.operation, asked.number) == (sent.operation, sent.number)
    assert asked.exchange.because == "decision"
    assert counted.timed("aegis_gateway_call_duration_seconds", "sandbox_a", "status", "approved") == 1


def test_a_question_about_a_dispute_is_shown_also_where_no_gateway_answers(
    database: Database,
    gateway: LoadedGateway,
    sandbox: Sandbox,
    collector: Collector,
    task: str,
    counted: Counted,
) -> None:
    payment_id = paid(database, gateway)
    charge = DisputedCharge("dp_none", "ch_none", "sandbox_a", gateway.config.account, payment_id, "test")
    ask_about(database, {"sandbox_a": gateway}, [Subject(charge)], kept_in(database))
    *_, asked = kept(database, payment_id)
    assert (asked.operation, asked.number, asked.exchange.because) == ("dispute", 0, "dispute")
    ((name, said),) = look_ups(collector, task)
    assert (name, said["aegis.operation"], said["aegis.outcome"]) == (
        "sandbox_a dispute",
        "dispute",
        "unknown",
    )
    assert said["aegis.payment_id"] == payment_id
    assert counted.timed("aegis_gateway_call_duration_seconds", "sandbox_a", "dispute", "unknown") == 1
