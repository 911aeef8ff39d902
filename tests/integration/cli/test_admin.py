"""`aegis migrate`, `keys`, `status`, `timeline`, `reconcile` and `outbox` on a real database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import Aegis, RunningAegis, aegis, install
from support.erasing import NOTHING_ERASED
from support.merchant_server import a_sink, answers
from support.outbox_events import a_payment, in_stream, make_due
from support.payments import accept_one, job_of, rows
from support.sandbox_process import Sandbox, running_sandbox

from aegis_worker.errors import InvalidApiKey
from aegis_worker.ids import event_id
from aegis_worker.persistence.api_keys import authenticate
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.revisions import chain

__all__ = ["aegis"]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    install(monkeypatch, database_url, AEGIS_WEBHOOK_ALLOW_PRIVATE="true")


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """`sandbox_a` runs; `sandbox_b` is refused connections."""
    with running_sandbox(tmp_path) as running:
        monkeypatch.setenv("AEGIS_SANDBOX_A_URL", running.url)
        monkeypatch.setenv("AEGIS_SANDBOX_B_URL", "http://127.0.0.1:1")
        yield running


def test_migrate_goes_down_when_told_twice_and_up_again(aegis: Aegis) -> None:
    head = chain()[-1]
    assert aegis("migrate", "--json").json == {"from": head, "to": head, "head": head}
    assert aegis("migrate", "--down", "base").exit_code == 2, "nobody there to ask: --yes is needed"
    assert aegis("migrate", "--down", "base", "--yes", "--json").json["to"] is None
    assert aegis("migrate", "--json").json == {"from": None, "to": head, "head": head}


def test_erase_says_of_how_many_payments_what_was_known_is_gone(aegis: Aegis, database: Database) -> None:
    for key, customer in (("one", "cus_117"), ("two", "cus_117"), ("three", "cus_118")):
        accept_one(database, key, payer={"ip": "203.0.113.7"}, customer={"id": customer, "name": "Asha"})
    erase = ("erase", "--customer", "cus_117", "--reason", "asked for it by letter")
    assert aegis(*erase).exit_code == 2, "whose customer it is is not known"
    assert aegis(*erase[:3], "--merchant", "m_1").exit_code == 2, "a reason is needed"
    aegis("keys", "create", "--merchant", "m_1")
    erased = NOTHING_ERASED | {"cards": None, "payments": 2, "payer_details": 2}
    assert aegis(*erase, "--json").json == {"object": "erasure", **erased, "complete": True}
    again = aegis(*erase, "--merchant", "m_1")
    assert (again.exit_code, rows(database, "SELECT count(*) FROM payer_details")) == (0, [{"count": 1}])


def test_migrate_says_no_to_a_revision_that_does_not_exist(aegis: Aegis) -> None:
    ran = aegis("migrate", "--down", "9999", "--yes")
    assert ran.exit_code == 3
    assert "can't go back" in ran.err


def test_a_database_of_a_newer_version_is_left_alone(aegis: Aegis, database: Database) -> None:
    database.run(
        lambda connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    )
    ran = aegis("migrate")
    assert ran.exit_code == 3
    assert "migrated by a newer one" in ran.err


def test_commands_on_an_empty_database_ask_for_a_migration(aegis: Aegis) -> None:
    aegis("migrate", "--down", "base", "--yes")
    for arguments in (("keys", "list"), ("status", "pay_1"), ("outbox", "status"), ("reconcile",)):
        ran = aegis(*arguments)
        assert ran.exit_code == 3, arguments
        assert ran.err.endswith("run `aegis migrate`\n"), ran.err


def test_a_database_that_is_away_is_one_line(aegis: Aegis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://aegis:hunter2@127.0.0.1:1/aegis")
    for arguments in (("keys", "list"), ("migrate",), ("outbox", "drain")):
        ran = aegis(*arguments)
        assert ran.exit_code == 3
        assert ran.err.startswith("aegis: PostgreSQL: ")
        assert "hunter2" not in ran.err


def test_missing_settings_are_one_line(aegis: Aegis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AEGIS_SECRET")
    ran = aegis("keys", "list")
    assert (ran.exit_code, ran.out) == (3, "")
    assert "AEGIS_SECRET" in ran.err


def test_a_key_is_made_shown_once_and_revoked(aegis: Aegis, database: Database) -> None:
    made = aegis("keys", "create", "--merchant", "shop", "--label", "web-1", "--json").json
    assert authenticate(database, made["key"]).merchant_id == "shop"
    listed = aegis("keys", "list")
    assert made["id"] in listed.out
    assert made["key"] not in listed.out
    assert aegis("keys", "revoke", made["id"]).exit_code == 0
    with pytest.raises(InvalidApiKey):
        authenticate(database, made["key"])
    (key,) = aegis("keys", "list", "--merchant", "shop", "--json").json
    assert key["revoked_at"] is not None


def test_a_key_for_real_money_has_to_be_asked_for(aegis: Aegis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_ENV", "production")
    made = aegis("keys", "create", "--merchant", "shop", "--json").json
    assert made["key"].startswith("aegis_test_")
    assert (made["mode"], made["scopes"]) == ("test", [])
    arguments = ("--mode", "live", "--scope", "refunds:write")
    made = aegis("keys", "create", "--merchant", "shop", *arguments, "--json").json
    assert made["key"].startswith("aegis_live_")
    assert (made["mode"], made["scopes"]) == ("live", ["refunds:write"])
    listed = aegis("keys", "list", "--json").json
    assert [(key["mode"], key["scopes"]) for key in listed] == [("live", ["refunds:write"]), ("test", [])]


@pytest.mark.parametrize("more", [("--mode", "test"), ("--scope", "refunds:write")])
def test_an_operators_key_takes_neither_mode_nor_scope(aegis: Aegis, more: tuple[str, ...]) -> None:
    ran = aegis("keys", "create", "--operator", *more)
    assert ran.exit_code == 2
    assert "operators see both modes" in ran.err


def test_an_operators_key_is_of_no_merchant_and_shown_as_what_it_is(aegis: Aegis, database: Database) -> None:
    made = aegis("keys", "create", "--operator", "--label", "night", "--json").json
    holder = authenticate(database, made["key"])
    assert (holder.role, holder.merchant_id, holder.label) == ("operator", "*", "night")
    (key,) = aegis("keys", "list", "--json").json
    assert (key["role"], key["merchant_id"]) == ("operator", "*")
    assert "operator" in aegis("keys", "list").out


@pytest.mark.parametrize("arguments", [(), ("--operator", "--merchant", "shop")])
def test_a_key_is_either_a_merchants_or_an_operators(aegis: Aegis, arguments: tuple[str, ...]) -> None:
    ran = aegis("keys", "create", *arguments)
    assert ran.exit_code == 2
    assert "either --merchant NAME or --operator" in ran.err


def test_a_key_that_is_not_there_cannot_be_revoked(aegis: Aegis) -> None:
    ran = aegis("keys", "revoke", "key_0")
    assert (ran.exit_code, ran.err) == (3, "aegis: no API key key_0\n")


@pytest.mark.usefixtures("sandbox")
def test_status_and_timeline_tell_what_happened(aegis: Aegis, database: Database) -> None:
    payment = accept_one(
        database, payment_method={"type": "card", "token": "tok_soft_issuer_unavailable"}
    ).payment
    assert "INITIATED" in aegis("status", payment.id).out
    assert aegis("relay", "--once").exit_code == 0

    job = job_of(database, payment.id)
    for id_ in (payment.id, job["id"]):
        status = aegis("status", id_, "--json").json
        assert status["payment"]["id"] == payment.id
        assert status["job"]["id"] == job["id"]

    told = aegis("timeline", payment.id, "--json").json
    assert [event["type"] for event in told["events"]][:3] == [
        "payment.initiated",
        "payment.processing",
        "payment.retry_attempted",
    ]
    # One that was never reached is tried again, once more in the same pass where this machine is busy.
    assert [(call["gateway"], call["status"]) for call in told["attempts"]][:2] == [
        ("sandbox_a", "DECLINED"),
        ("sandbox_b", "NOT_SENT"),
    ]
    table = aegis("timeline", payment.id).out
    assert "sandbox_a did not charge (issuer_unavailable); sandbox_b is tried" in table
    assert "not sent: " in table
    assert re.search(r"\+\d+ ms", table), "the time since the event before"


def test_what_is_not_there_is_not_found(aegis: Aegis) -> None:
    for arguments in (
        ("status", "pay_0"),
        ("timeline", "job_0"),
        ("outbox", "redeliver", "evt_0"),
        ("outbox", "redeliver", f"evt_{'0' * 32}_1"),
    ):
        ran = aegis(*arguments)
        assert ran.exit_code == 3, arguments
        assert "there is no" in ran.err


def test_reconcile_settles_what_is_in_doubt(aegis: Aegis, database: Database, sandbox: Sandbox) -> None:
    payment = accept_one(database, payment_method={"type": "card", "token": "tok_drop"}).payment
    aegis("relay", "--once")
    assert aegis("status", payment.id, "--json").json["payment"]["certainty"] == "unknown"
    assert "may or may not have happened" in aegis("status", payment.id).out

    looked = aegis("reconcile", "--dry-run", "--json").json
    assert (looked["found"]["waiting_for_the_gateway"], looked["fixed"]) == (1, {})
    ran = aegis("reconcile", "--json")
    assert (ran.exit_code, ran.json["fixed"]["settled"]) == (0, 1)
    assert aegis("status", payment.id, "--json").json["payment"]["state"] == "SUCCESS"
    assert len(sandbox.ledger()) == 1
    written = rows(database, "SELECT trigger, dry_run FROM reconciliation_runs ORDER BY id")
    assert [(run["trigger"], run["dry_run"]) for run in written][-2:] == [
        ("operator", True),
        ("operator", False),
    ]


@pytest.mark.usefixtures("sandbox")
def test_reconcile_exits_with_1_when_a_gateway_says_something_else(aegis: Aegis, database: Database) -> None:
    payment = accept_one(database).payment
    aegis("relay", "--once")
    assert aegis("reconcile", "--since", "1h").exit_code == 0
    # As after a restore of a gateway's books, or a fault of ours: a charge under a key that the gateway doesn't know.
    database.run(
        lambda connection: connection.exec_driver_sql(
            "UPDATE attempts SET gateway_ref = NULL, gateway_key = 'somebody-else',"
            " sent_at = sent_at - interval '1 h'"
        )
    )
    ran = aegis("reconcile", "--since", "1h", "--dry-run", "--json")
    assert ran.exit_code == 1
    (mismatch,) = ran.json["mismatches"]
    assert (mismatch["payment_id"], mismatch["state"]) == (payment.id, "SUCCESS")
    assert payment.id in aegis("reconcile", "--since", "1h").out


@pytest.mark.slow
def test_reconcile_says_when_no_hint_could_be_sent(database: Database) -> None:
    accept_one(database)
    ran = RunningAegis("reconcile", "--json").end()
    assert ran.exit_code == 0
    assert ran.json["found"]["due_jobs"] == 1
    assert "no hint for payments" in ran.err


def test_the_outbox_is_shown_drained_and_told_again(
    aegis: Aegis, database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    with a_sink() as sink:
        made = aegis("outbox", "endpoints", "add", sink.url(), "--merchant", "m_1", "--json").json
        assert made["secret"].startswith("whsec_")
        payment_id = a_payment(database)
        status = aegis("outbox", "status", "--json").json
        assert (status["stream"]["pending"], status["webhooks"]["pending"]) == (3, 0)
        assert status["stream"]["oldest_age_s"] >= 0

        drained = aegis("outbox", "drain", "--json")
        assert drained.exit_code == 0
        assert (drained.json["outbox"]["delivered"], drained.json["webhooks"]["delivered"]) == (3, 3)
        assert [entry["id"] for entry in in_stream(redis_url)] == [
            event_id(payment_id, seq) for seq in (1, 2, 3)
        ]
        assert aegis("outbox", "status", "--json").json["stream"]["pending"] == 0

        again = aegis("outbox", "redeliver", event_id(payment_id, 2), "--json").json
        assert again == {"event_id": event_id(payment_id, 2), "endpoints": 1}
        aegis("outbox", "drain")
        assert [request.json["id"] for request in sink.received][-1] == event_id(payment_id, 2)
        assert len(sink.received) == 4


def test_dead_deliveries_are_listed_with_their_error(
    aegis: Aegis, database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("AEGIS_WEBHOOK_MAX_TRIES", "1")
    with a_sink() as sink:
        sink.otherwise["/hooks"] = answers(500, b"no \x1b[31mroom")
        aegis("outbox", "endpoints", "add", sink.url(), "--merchant", "m_1")
        payment_id = a_payment(database, events=("PAYMENT_INITIATED",))
        assert aegis("outbox", "drain").exit_code == 1
        (dead,) = aegis("outbox", "deliveries", "--status", "dead", "--json").json
        assert (dead["event_id"], dead["merchant_id"]) == (event_id(payment_id, 1), "m_1")
        assert "HTTP 500" in dead["last_error"]
        assert "HTTP 500" in aegis("outbox", "deliveries", "--payment", payment_id).out
        assert aegis("outbox", "deliveries", "--status", "delivered", "--json").json == []
        assert aegis("outbox", "deliveries", "--merchant", "someone-else", "--json").json == []
        assert aegis("outbox", "status", "--json").json["webhooks"]["dead"] == 1


def test_the_backlog_is_told_by_sink(
    aegis: Aegis, database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_sink() as sink:
        sink.otherwise["/hooks"] = answers(500)
        aegis("outbox", "endpoints", "add", sink.url(), "--merchant", "m_1")
        payment_id = a_payment(database)
        aegis("outbox", "drain")  # no Redis, and an endpoint that fails
        a_payment(database)
        status = aegis("outbox", "status", "--json").json
        assert {name: status["stream"][name] for name in ("pending", "failed", "leased")} == {
            "pending": 6,
            "failed": 3,
            "leased": 0,
        }
        assert {name: status["webhooks"][name] for name in ("pending", "failed", "leased", "dead")} == {
            "pending": 3,
            "failed": 1,
            "leased": 0,
            "dead": 0,
        }
        monkeypatch.setenv("REDIS_URL", redis_url)
        monkeypatch.setenv("AEGIS_WEBHOOK_MAX_TRIES", "1")
        make_due(database, "outbox")
        aegis("outbox", "redeliver", event_id(payment_id, 1))
        assert aegis("outbox", "drain").exit_code == 1
        status = aegis("outbox", "status", "--json").json
        assert (status["stream"]["pending"], status["webhooks"]["dead"]) == (0, 6)
        shown = aegis("outbox", "status").out
        assert re.search(r"stream +0", shown)
        assert re.search(r"webhooks +0 .* 6 +0 *\n", shown)


def test_a_stream_that_cannot_be_written_makes_drain_exit_with_1(aegis: Aegis, database: Database) -> None:
    a_payment(database)
    ran = aegis("outbox", "drain", "--json")
    assert ran.exit_code == 1
    assert (ran.json["outbox"]["delivered"], ran.json["outbox"]["failed"]) == (0, 3)


def test_endpoints_are_added_listed_and_disabled(aegis: Aegis) -> None:
    url = "https://shop.example/hooks"
    made = aegis(
        *("outbox", "endpoints", "add", url, "--merchant", "m_1", "--event", "payment.succeeded", "--json")
    ).json
    listed = aegis("outbox", "endpoints", "list", "--merchant", "m_1").out
    assert url in listed
    assert "payment.succeeded" in listed
    assert aegis("outbox", "endpoints", "list", "--merchant", "m_2", "--json").json == []
    assert aegis("outbox", "endpoints", "disable", made["id"], "--merchant", "m_2").exit_code == 3
    assert aegis("outbox", "endpoints", "disable", made["id"], "--merchant", "m_1").exit_code == 0
    assert aegis("outbox", "endpoints", "list", "--merchant", "m_1", "--json").json == []


def test_an_endpoint_that_webhooks_may_not_go_to_is_refused(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_WEBHOOK_ALLOW_PRIVATE", "false")
    ran = aegis("outbox", "endpoints", "add", "https://169.254.169.254/", "--merchant", "m_1")
    assert ran.exit_code == 3
    assert ran.err.startswith("aegis: ")
