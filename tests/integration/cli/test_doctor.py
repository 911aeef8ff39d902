"""`aegis doctor`: each thing that can be wrong is found, named, and comes with what to do."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from support.command_line import Aegis, Ran, RunningAegis, aegis, install
from support.outbox_events import a_payment
from support.payments import accept_one
from support.sandbox_process import API_KEY, Sandbox, eventually, running_sandbox

from aegis_worker.persistence.database import Database
from aegis_worker.persistence.rules_versions import VERSIONS
from aegis_worker.sealing.keys import SealingKey
from aegis_worker.sealing.ring import KeyRing

__all__ = ["aegis"]

pytestmark = pytest.mark.usefixtures("durable")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A gateway that answers."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(autouse=True)
def installation(
    database_url: str, redis_url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation in which everything answers, except workers and beat."""
    install(monkeypatch, database_url, REDIS_URL=redis_url)
    for name in ("AEGIS_SANDBOX_A", "AEGIS_SANDBOX_B"):
        monkeypatch.setenv(f"{name}_URL", sandbox.url)
        monkeypatch.setenv(f"{name}_KEY", API_KEY)
        monkeypatch.setenv(f"{name}_WEBHOOK_SECRET", "whsec_sandbox")


@pytest.fixture(autouse=True)
def no_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked whether workers answer: that waits 2 s. The test about workers runs a process of its own."""
    monkeypatch.setattr("aegis_worker.cli.checks_redis.workers", lambda: [])


def found(ran: Ran) -> dict[str, dict[str, Any]]:
    """The checks that are not fine, by name; each says what to do."""
    checks = {check["name"]: check for check in ran.json["checks"] if check["verdict"] != "ok"}
    assert all(check["advice"] for check in checks.values())
    return checks


def execute(database: Database, *statements: str) -> None:
    for statement in statements:
        database.run(lambda connection, sql=statement: connection.exec_driver_sql(sql))  # type: ignore[misc]


def test_an_installation_that_works_has_no_findings(aegis: Aegis) -> None:
    aegis("relay", "--once")
    ran = aegis("doctor", "--json")
    assert ran.exit_code == 0
    assert ran.json["ok"] is True
    assert found(ran) == {}
    names = [check["name"] for check in ran.json["checks"]]
    assert len(names) == len(set(names))
    assert {"settings", "PostgreSQL", "schema", "Redis", "queues", "outbox", "gateway sandbox_a"} <= set(
        names
    )
    assert "0 failed, 0 warned" in aegis("doctor").out


@pytest.mark.slow
def test_workers_that_answer_are_named(redis_url: str) -> None:
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "aegis_worker.celery",
        "worker",
        "-P",
        "solo",
        "-n",
        "w1@here",
    ]
    worker = subprocess.Popen(
        [*command, "-Q", "maintenance"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with Redis.from_url(redis_url) as redis:
            assert eventually(lambda: bool(redis.keys("_kombu.binding.celery.pidbox")), within_s=30)
        ran = RunningAegis("doctor", "--json").end()
    finally:
        worker.terminate()
        worker.wait(timeout=30)
    (check,) = [check for check in ran.json["checks"] if check["name"] == "workers"]
    assert (check["verdict"], check["seen"]) == ("ok", "1 answer: w1@here")


@pytest.mark.slow
def test_without_workers_and_beat_it_warns() -> None:
    ran = RunningAegis("doctor", "--json").end()
    assert ran.exit_code == 0
    assert set(found(ran)) == {"workers", "beat"}


def test_a_setting_that_is_wrong_ends_the_checks(aegis: Aegis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_SECRET", "short")
    ran = aegis("doctor", "--json")
    assert ran.exit_code == 1
    assert list(found(ran)) == ["settings"]
    assert "AEGIS_SECRET" in found(ran)["settings"]["seen"]


def test_a_lease_shorter_than_a_gateway_call_is_found(aegis: Aegis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_LEASE_S", "5")
    assert "AEGIS_LEASE_S" in found(aegis("doctor", "--json"))["configuration"]["seen"]


def test_a_wrong_gateways_file_is_found(
    aegis: Aegis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gateways.toml").write_text("[gateways.x]\nadapter = 'nobody'\n")
    monkeypatch.setenv("AEGIS_CONFIG_DIR", str(tmp_path))
    assert "gateways.x.adapter" in found(aegis("doctor", "--json"))["configuration"]["seen"]


def test_every_wrong_value_of_the_routing_is_named_in_one_line(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AEGIS_CONFIG_DIR", str(tmp_path))
    (tmp_path / "gateways.toml").write_text("[gateways.x]\nadapter = 'null'\n")
    (tmp_path / "routing.toml").write_text("strategy = 'GUESS'\nfallback = ['y']\n")
    seen = found(aegis("doctor", "--json"))["configuration"]["seen"]
    assert 'routing.toml:1: strategy: unknown strategy "GUESS"' in seen
    assert 'routing.toml:2: fallback[0]: unknown gateway "y"' in seen
    assert seen.isprintable()


def test_a_database_that_is_away_fails_and_shows_no_password(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://aegis:hunter2@127.0.0.1:1/aegis")
    ran = aegis("doctor", "--json")
    assert ran.exit_code == 1
    assert found(ran)["PostgreSQL"]["verdict"] == "fail"
    assert "hunter2" not in ran.out
    assert "Redis" in [check["name"] for check in ran.json["checks"]], (
        "the other checks are made all the same"
    )


@pytest.mark.slow
def test_an_old_schema_fails(aegis: Aegis) -> None:
    aegis("migrate", "--down", "base", "--yes")
    ran = aegis("doctor", "--json")
    assert list(found(ran)) == ["schema"]
    assert "aegis migrate" in found(ran)["schema"]["advice"]


def test_a_read_only_database_fails(aegis: Aegis, database: Database) -> None:
    name = "(SELECT current_database())"
    execute(
        database,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET default_transaction_read_only = on', "
        f"{name}); END $$",
    )
    ran = aegis("doctor", "--json")
    assert ran.exit_code == 1
    assert found(ran)["writing"]["verdict"] == "fail"


def test_commits_that_are_not_durable_fail(aegis: Aegis, database: Database) -> None:
    execute(
        database,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET synchronous_commit = off', "
        "(SELECT current_database())); END $$",
    )
    assert "synchronous_commit off" in found(aegis("doctor", "--json"))["durability"]["seen"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("log_min_error_statement", "error"),
        ("log_error_verbosity", "default"),
        ("log_min_messages", "warning"),
        ("log_min_duration_statement", "1000"),
        ("log_statement", "all"),
    ],
)
@pytest.mark.slow
def test_a_server_that_would_write_requests_into_its_log_is_named_with_the_statement_that_ends_it(
    aegis: Aegis, database: Database, break_in: Callable[..., None], setting: str, value: str
) -> None:
    role = "DO $$ BEGIN EXECUTE format('ALTER ROLE aegis IN DATABASE %I {}', current_database()); END $$"
    break_in(role.format(f"SET {setting} = ''{value}''"))
    database.dispose()
    try:
        warned = found(aegis("doctor", "--json"))["PostgreSQL's log"]
    finally:
        break_in(role.format("RESET ALL"))
    assert warned["verdict"] == "warn"
    assert setting in warned["seen"]
    assert f"ALTER ROLE aegis SET {setting} = " in warned["advice"]


def test_redis_that_is_away_fails_and_names_the_relay(aegis: Aegis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1:1/0")
    ran = aegis("doctor", "--json")
    assert ran.exit_code == 1
    assert "aegis relay" in found(ran)["Redis"]["advice"]
    assert "hunter2" not in ran.out


def test_redis_settings_that_lose_messages_are_found(aegis: Aegis, redis_url: str) -> None:
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        before = redis.config_get("maxmemory-policy", "appendonly")
        redis.config_set("maxmemory-policy", "allkeys-lru")
        redis.config_set("appendonly", "no")
        try:
            findings = found(aegis("doctor", "--json"))
        finally:
            for name, value in before.items():
                redis.config_set(name, value)
    assert findings["Redis memory"]["seen"] == "policy allkeys-lru"
    assert "append-only" in findings["Redis persistence"]["seen"]


def test_messages_that_nobody_takes_are_found(aegis: Aegis, redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.rpush("payments", *(["{}"] * 101))
    assert "payments 101" in found(aegis("doctor", "--json"))["queues"]["seen"]


def test_jobs_that_nobody_takes_up_are_found_by_their_age(aegis: Aegis, database: Database) -> None:
    accept_one(database)
    verdicts = {}
    for age_s in (5, 30, 120):
        execute(database, f"UPDATE jobs SET run_at = now() - interval '{age_s} s'")
        ran = aegis("doctor", "--json")
        (check,) = [check for check in ran.json["checks"] if check["name"] == "due jobs, payments"]
        assert check["seen"].startswith("1, the oldest for ")
        verdicts[age_s] = (check["verdict"], ran.exit_code)
    assert verdicts == {5: ("ok", 0), 30: ("warn", 0), 120: ("fail", 1)}


def test_a_job_whose_worker_died_counts_as_due(aegis: Aegis, database: Database) -> None:
    accept_one(database)
    execute(database, "UPDATE jobs SET status = 'running', lease_until = now() - interval '120 s'")
    assert found(aegis("doctor", "--json"))["due jobs, payments"]["verdict"] == "fail"


def test_reviews_late_events_and_a_silent_beat_are_warnings(aegis: Aegis, database: Database) -> None:
    aegis("relay", "--once")
    accept_one(database)
    a_payment(database)
    execute(
        database,
        "UPDATE jobs SET status = 'review', review_kind = 'fraud'",
        "UPDATE outbox SET created_at = now() - interval '5 min'",
        "UPDATE reconciliation_runs SET finished_at = now() - interval '4 min'",
    )
    ran = aegis("doctor", "--json")
    assert ran.exit_code == 0
    assert set(found(ran)) == {"reviews", "outbox", "beat"}
    assert found(ran)["beat"]["seen"].startswith("last reconciled 4 min")
    assert "1 of them held back" in found(ran)["reviews"]["seen"]
    assert "`aegis reviews`" in found(ran)["reviews"]["advice"]
    assert "`aegis resolve ID`" in found(ran)["reviews"]["advice"]


def test_a_schema_of_a_newer_version_is_not_answered_with_migrate(aegis: Aegis, database: Database) -> None:
    execute(database, "UPDATE alembic_version SET version_num = '9999'")
    check = found(aegis("doctor", "--json"))["schema"]
    assert "newer than this version" in check["seen"]
    assert "run `aegis migrate`" not in check["advice"]
    assert "install the version" in check["advice"]


def test_a_schema_of_an_older_version_is_answered_with_migrate(aegis: Aegis, database: Database) -> None:
    execute(database, "UPDATE alembic_version SET version_num = '0003'")
    assert found(aegis("doctor", "--json"))["schema"]["advice"] == "run `aegis migrate`"


def test_dead_webhooks_are_a_warning(aegis: Aegis, database: Database) -> None:
    aegis("relay", "--once")
    execute(
        database,
        "INSERT INTO webhook_deliveries (id, endpoint_id, merchant_id, payment_id, seq, status) VALUES "
        "('whd_' || replace(uuidv7()::text, '-', ''), 'whe_1', 'm_1', 'pay_1', 1, 'dead')",
    )
    assert found(aegis("doctor", "--json"))["webhooks"]["seen"] == "0 wait, 1 dead in 7 days"


def test_one_gateway_down_is_a_warning_and_all_down_a_failure(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch
) -> None:
    aegis("relay", "--once")
    monkeypatch.setenv("AEGIS_SANDBOX_B_URL", "http://127.0.0.1:1")
    ran = aegis("doctor", "--json")
    assert (ran.exit_code, list(found(ran))) == (0, ["gateway sandbox_b"])
    monkeypatch.setenv("AEGIS_SANDBOX_A_URL", "http://127.0.0.1:1")
    ran = aegis("doctor", "--json")
    assert (ran.exit_code, found(ran)["gateways"]["verdict"]) == (1, "fail")


def test_a_check_that_cannot_be_made_does_not_hide_the_others(aegis: Aegis, database: Database) -> None:
    execute(database, "ALTER TABLE outbox RENAME TO away")
    ran = aegis("doctor", "--json")
    assert found(ran)["outbox"]["verdict"] == "fail"
    assert [check["verdict"] for check in ran.json["checks"] if check["name"] == "webhooks"] == ["ok"]


def test_a_routing_version_that_can_not_be_used_here_is_a_warning(
    aegis: Aegis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = tmp_path / "draft.json"
    draft.write_text('{"fallback": ["sandbox_b", "sandbox_a"]}')
    assert aegis("routing", "apply", str(draft), "--reason", "the new contract").exit_code == 0
    assert "routing version" not in found(aegis("doctor", "--json"))
    (tmp_path / "gateways.toml").write_text('[gateways.sandbox_a]\nadapter = "null"\n')
    monkeypatch.setenv("AEGIS_CONFIG_DIR", str(tmp_path))
    finding = found(aegis("doctor", "--json"))["routing version"]
    assert (finding["verdict"], "version 1 can't be used here" in finding["seen"]) == ("warn", True)


def test_rules_that_can_not_be_used_here_are_a_warning(aegis: Aegis, database: Database) -> None:
    told = {check["name"]: check["seen"] for check in aegis("doctor", "--json").json["checks"]}
    assert told["rules"] == "none is on in config/rules.toml"
    who = {"actor": "cli:asha", "reason": "of another release"}
    database.run(lambda tx: VERSIONS.add(tx, 1, {"colour": "red"}, **who))
    finding = found(aegis("doctor", "--json"))["rules"]
    assert (finding["verdict"], "version 1 can't be used here" in finding["seen"]) == ("warn", True)


def test_a_sealing_key_that_rows_still_need_is_missed(
    aegis: Aegis, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    aegis("relay", "--once")
    sealed = KeyRing([SealingKey("2026a", b"k" * 32)]).seal(b"x", "action_secrets", "pay_1")
    execute(
        database, f"INSERT INTO action_secrets (payment_id, sealed) VALUES ('pay_1', '\\x{sealed.hex()}')"
    )
    missed = found(aegis("doctor", "--json"))["sealing keys"]
    assert (missed["verdict"], "2026a" in missed["seen"]) == ("fail", True)
    monkeypatch.setenv("AEGIS_SEALING_KEYS", "2026a:" + base64.b64encode(b"k" * 32).decode())
    assert "sealing keys" not in found(aegis("doctor", "--json"))
