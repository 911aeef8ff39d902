"""`aegis relay`: payments go from accepted to told with no Redis anywhere."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import Aegis, RunningAegis, aegis, install
from support.merchant_server import a_sink
from support.payments import accept_one, attempts_of, make_due, payment_of, rows, story_of
from support.sandbox_process import Sandbox, eventually, running_sandbox

from aegis_worker.cli.relay import Rota, relay_pass
from aegis_worker.domain.transitions import State
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence.database import Database
from aegis_worker.terminal.worker_parts import opened_worker

__all__ = ["aegis"]

IN_DOUBT = {"type": "card", "token": "tok_drop"}


@pytest.fixture(autouse=True)
def sandbox(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """An installation without Redis; `sandbox_a` runs, `sandbox_b` is refused connections."""
    install(
        monkeypatch,
        database_url,
        AEGIS_WEBHOOK_ALLOW_PRIVATE="true",
        AEGIS_SANDBOX_B_URL="http://127.0.0.1:1",
    )
    with running_sandbox(tmp_path) as running:
        monkeypatch.setenv("AEGIS_SANDBOX_A_URL", running.url)
        yield running


def test_one_pass_charges_and_posts_webhooks_without_redis(
    aegis: Aegis, database: Database, sandbox: Sandbox
) -> None:
    with a_sink() as sink:
        aegis("outbox", "endpoints", "add", sink.url(), "--merchant", "m_1")
        payment = accept_one(database).payment
        ran = aegis("relay", "--once", "--json")
        assert ran.exit_code == 0, ran.err
        assert payment_of(database, payment.id).state is State.SUCCESS
        assert len(sandbox.ledger()) == 1
        assert [request.json["type"] for request in sink.received] == [
            "payment.initiated",
            "payment.processing",
            "payment.succeeded",
        ]
    done = ran.json["done"]
    assert done["payments"]["finished"] == 1
    assert done["outbox"]["failed"] == 3, "the stream keeps its events until Redis is back"
    assert done["webhooks"]["delivered"] == 3


def test_the_next_passes_ask_about_what_is_in_doubt(
    aegis: Aegis, database: Database, sandbox: Sandbox
) -> None:
    payment = accept_one(database, payment_method=IN_DOUBT).payment
    assert aegis("relay", "--once", "--json").json["done"]["payments"]["waiting"] == 1
    assert payment_of(database, payment.id).certainty == "unknown"
    make_due(database)
    assert aegis("relay", "--once", "--json").json["done"]["verify"]["finished"] == 1
    assert payment_of(database, payment.id).state is State.SUCCESS
    assert story_of(database, payment.id)[-2:] == ["RESOLVED", "SUCCEEDED"]
    assert len(sandbox.ledger()) == 1
    assert attempts_of(database, payment.id)[0]["sends"] == 1


def test_it_does_what_beat_does(aegis: Aegis, database: Database) -> None:
    payment = accept_one(database).payment
    orphaned = "UPDATE payments SET updated_at = now() - interval '1 h'"
    for statement in (
        "DELETE FROM jobs",
        orphaned,
        "UPDATE idempotency_keys SET created_at = now() - interval '30 d'",
    ):
        database.run(lambda connection, sql=statement: connection.exec_driver_sql(sql))  # type: ignore[misc]
    done = aegis("relay", "--once", "--json").json["done"]
    assert done["reconcile"]["payments_without_a_job"] == 1
    assert done["purge"]["idempotency_keys"] == 1
    aegis("relay", "--once")
    assert payment_of(database, payment.id).state is State.SUCCESS
    assert [row["trigger"] for row in rows(database, "SELECT trigger FROM reconciliation_runs")] == [
        "beat",
        "beat",
    ]


def test_chores_are_done_at_their_time_and_not_in_every_pass(database: Database) -> None:
    with opened_worker(hinting=False) as parts:
        rota = Rota(parts)
        assert set(relay_pass(parts, rota).done) == {
            "payments", "gateway_events", "verify", "outbox", "webhooks", "hooks", "reconcile", "recheck", "disputes",
            "decisions", "projections", "audit", "purge",
        }  # fmt: skip
        every_pass = {"payments", "gateway_events", "verify", "outbox", "webhooks", "hooks"}
        assert set(relay_pass(parts, rota).done) == every_pass


def test_a_step_that_fails_does_not_keep_the_others_from_being_done(aegis: Aegis, database: Database) -> None:
    payment = accept_one(database).payment
    # As after a migration that went half-way: neither events nor webhooks can be claimed, purged or audited.
    database.run(
        lambda connection: connection.exec_driver_sql("ALTER TABLE webhook_endpoints RENAME TO away")
    )
    ran = aegis("relay", "--once", "--json")
    assert ran.exit_code == 3
    assert list(ran.json["failed"]) == ["outbox", "webhooks", "purge", "audit"]
    assert "aegis migrate" in ran.json["failed"]["outbox"]
    done = [
        "payments",
        "gateway_events",
        "verify",
        "hooks",
        "reconcile",
        "recheck",
        "disputes",
        "decisions",
        "projections",
    ]
    assert list(ran.json["done"]) == done
    assert payment_of(database, payment.id).state is State.SUCCESS


def test_nothing_more_is_begun_once_it_is_told_to_stop() -> None:
    with opened_worker(hinting=False) as parts:
        assert relay_pass(parts, Rota(parts), stopped=lambda: True).done == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_signal_finishes_the_pass_and_exits_with_0(
    database: Database, sandbox: Sandbox, number: signal.Signals
) -> None:
    slow = accept_one(database, payment_method={"type": "card", "token": "tok_latency_1500"}).payment
    relay = RunningAegis("relay", "--interval", "0.05", "--json")
    charged = eventually(lambda: len(sandbox.ledger()) == 1, within_s=30)
    ran = relay.end(number)
    assert charged, ran.err
    assert ran.exit_code == 0, ran.err
    assert payment_of(database, slow.id).state is State.SUCCESS, "the call in flight was waited for"
    (one_pass,) = [json.loads(line) for line in ran.out.splitlines()]
    assert one_pass["done"]["payments"]["finished"] == 1
    assert "relay stopped" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.slow
def test_it_outlives_a_restart_of_the_database(database: Database, stores: Stores) -> None:
    relay = RunningAegis("relay", "--interval", "0.05")
    try:
        first = accept_one(database, "key-1").payment
        assert eventually(lambda: payment_of(database, first.id).state is State.SUCCESS)
        stores.restart_postgres("immediate")
        second = accept_one(database, "key-2").payment
        assert eventually(lambda: payment_of(database, second.id).state is State.SUCCESS, within_s=30)
    finally:
        ran = relay.end(signal.SIGTERM)
    assert ran.exit_code == 0, ran.err
    assert "Traceback" not in ran.err


@pytest.mark.slow
def test_two_relays_charge_once(database: Database, sandbox: Sandbox) -> None:
    relays = [RunningAegis("relay", "--interval", "0.05") for _ in range(2)]
    try:
        assert all(eventually(lambda relay=relay: relay.has_said("relay started")) for relay in relays)  # type: ignore[misc]
        payments = [accept_one(database, f"key-{n}").payment.id for n in range(40)]
        unfinished = "SELECT id FROM payments WHERE state <> 'SUCCESS'"
        assert eventually(lambda: not rows(database, unfinished), within_s=30)
    finally:
        ended = [relay.end(signal.SIGTERM) for relay in relays]
    assert [ran.exit_code for ran in ended] == [0, 0]
    charged = [row["reference"].partition("-")[0] for row in sandbox.ledger()]
    assert sorted(charged) == sorted(payments)
