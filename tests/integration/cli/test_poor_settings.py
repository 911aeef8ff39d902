"""Settings that can't work: whichever command or process meets them says in one line what is wrong, and ends with 3."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url
from support.api_client import start_api
from support.checkout import CHECKOUT
from support.command_line import Aegis, aegis, install
from support.sandbox_process import eventually

from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.persistence.database import Database

__all__ = ["aegis"]

COMMANDS = [
    ("keys", "list"),
    ("migrate",),
    ("status", "pay_" + "0" * 32),
    ("outbox", "status"),
    ("reconcile", "--dry-run"),
    ("relay", "--once"),
    ("audit",),
    ("routing", "show"),
    ("gateways",),
]
PROCESSES = {
    "web": [sys.executable, "-m", "aegis_api.server"],
    "worker": [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "aegis_worker.celery:app",
        "worker",
        "-P",
        "prefork",
        "-c",
        "1",
    ],
    "beat": [sys.executable, "-m", "celery", "-A", "aegis_worker.celery:app", "beat", "--pidfile="],
    "relay": [sys.executable, "-c", "from aegis_worker.cli import main; main()", "relay"],
}

BAD_VALUES = [
    ("DATABASE_URL", "postgresql://aegis:hun@ter2@127.0.0.1:5432/aegis", "%40"),
    ("DATABASE_URL", "mysql://aegis:hunter2@127.0.0.1/aegis", "mysql://"),
    ("DATABASE_URL", "postgresql://aegis:hunter2@127.0.0.1:port/aegis", "port"),
    ("DATABASE_URL", "", "is empty"),
    ("REDIS_URL", "redis://:hun@ter2@127.0.0.1:6379/0", "%40"),
    ("REDIS_URL", "redis://127.0.0.1:6379/0?socket_timeout=1", "after the ?"),
    ("REDIS_URL", "redis://127.0.0.1:6379/zero", "number of a database"),
    ("PGOPTIONS", "-c search_path=elsewhere", "PGOPTIONS is set"),
    ("PGHOSTADDR", "127.0.0.2", "PGHOSTADDR is set"),
    ("AEGIS_SECRET", "hunter2", "AEGIS_SECRET"),
    ("AEGIS_BATCH", "many", "AEGIS_BATCH"),
    ("AEGIS_BATCH", "0", "at least 1"),
    ("AEGIS_BATCH", "9" * 30, "at most 10000"),
    ("AEGIS_LEASE_S", "nan", "AEGIS_LEASE_S"),
    ("AEGIS_LEASE_S", "inf", "AEGIS_LEASE_S"),
    ("AEGIS_RUN_LIMIT_S", "-1", "AEGIS_RUN_LIMIT_S"),
    ("AEGIS_VERIFY_LADDER_S", "10,nan", "AEGIS_VERIFY_LADDER_S"),
    ("AEGIS_VERIFY_LADDER_S", "10,x", "AEGIS_VERIFY_LADDER_S"),
    ("AEGIS_LOG_LEVEL", "LOUD", "DEBUG, INFO"),
    ("AEGIS_ENV", "prod", "production"),
    ("SENTRY_DSN", "hunter2", "SENTRY_DSN"),
    ("AEGIS_CA_BUNDLE", "/nowhere/ca.pem", "PEM certificates"),
    ("AEGIS_WEBHOOK_ALLOW_PRIVATE", "perhaps", "AEGIS_WEBHOOK_ALLOW_PRIVATE"),
]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    install(monkeypatch, database_url)


@pytest.fixture
def role(break_in: Callable[..., None], database_url: str) -> Iterator[Callable[..., str]]:
    """`role(*grants)`: the URL of a role that has these rights on the test's database, and no others."""
    name = f"poor_{uuid.uuid4().hex[:8]}"
    database = make_url(database_url).database
    break_in(
        f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC", f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2'"
    )

    def build(*grants: str) -> str:
        break_in(*(grant.format(role=name, database=database) for grant in grants), "SELECT 1")
        url = make_url(database_url).set(username=name, password="hunter2")
        return url.render_as_string(hide_password=False)

    yield build
    break_in(f"DROP OWNED BY {name}", f"DROP ROLE {name}", f"GRANT CONNECT ON DATABASE {database} TO PUBLIC")


def one_line(err: str) -> bool:
    """Whether that is all there is on standard error, and no password in it."""
    return err.startswith("aegis: ") and err.count("\n") == 1 and "hun" not in err and "ter2" not in err


@pytest.mark.parametrize(("name", "value", "said"), BAD_VALUES)
def test_every_command_says_in_one_line_which_setting_is_wrong(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    for command in COMMANDS:
        ran = aegis(*command)
        assert (ran.exit_code, ran.out) == (3, ""), command
        assert said in ran.err
        assert one_line(ran.err), ran.err
    ran = aegis("doctor", "--json")
    assert ran.exit_code == 1
    (check,) = [check for check in ran.json["checks"] if check["verdict"] == "fail"]
    assert (check["name"], said in check["seen"]) == ("settings", True)
    assert "ter2" not in ran.out


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://aegis:hun@ter2@127.0.0.1:5432/aegis"),
        pytest.param(
            "REDIS_URL", "redis://:hunter2@127.0.0.1:6379/0?retry_on_timeout=1", marks=pytest.mark.slow
        ),
        pytest.param("AEGIS_CONFIG_DIR", "/not/there", marks=pytest.mark.slow),
        pytest.param("AEGIS_CRASH_AT", "nowhere", marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_every_process_says_in_one_line_which_setting_is_wrong(
    tmp_path: Path, process: str, name: str, value: str
) -> None:
    command = [*PROCESSES[process]]
    command += ["--schedule", str(tmp_path / "beat")] if process == "beat" else []
    ran = subprocess.run(
        command, cwd=CHECKOUT, env={**os.environ, name: value}, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 3, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert line.startswith("aegis: ")
    assert (name if name != "AEGIS_CONFIG_DIR" else "/not/there/gateways.toml") in line
    assert "ter2" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"host": "nobody.invalid"}, "correct the host in DATABASE_URL"),
        ({"port": 1}, "start PostgreSQL, or correct host and port"),
        ({"password": "hunter2"}, "correct user and password"),
        ({"database": "not_there"}, "create it, or correct DATABASE_URL"),
        ({"username": "nobody"}, "correct"),
    ],
)
def test_a_database_that_can_not_be_reached_comes_with_what_to_do(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database_url: str, change: dict[str, object], said: str
) -> None:
    url = make_url(database_url).set(**change)  # type: ignore[arg-type]
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    for command in (("keys", "list"), ("migrate",), ("relay", "--once"), ("outbox", "status")):
        ran = aegis(*command)
        assert ran.exit_code == 3, command
        assert said in ran.err + ran.out
        assert "hunter2" not in ran.err + ran.out
    assert aegis("doctor").exit_code == 1


USAGE = "GRANT USAGE ON SCHEMA public TO {role}"
CONNECT = "GRANT CONNECT ON DATABASE {database} TO {role}"
READ = "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"


@pytest.mark.parametrize(
    ("grants", "command", "said"),
    [
        ((), ("keys", "list"), "GRANT CONNECT"),
        ((CONNECT, USAGE), ("keys", "list"), "give the role of DATABASE_URL its rights"),
        ((CONNECT, USAGE), ("migrate",), "give the role of DATABASE_URL its rights"),
        (
            (CONNECT, USAGE, READ),
            ("keys", "create", "--merchant", "shop"),
            "give the role of DATABASE_URL its rights",
        ),
        ((CONNECT, USAGE, READ), ("migrate", "--down", "0001", "--yes"), "must be owner"),
    ],
)
def test_a_role_without_rights_is_told_which_it_lacks(
    aegis: Aegis,
    monkeypatch: pytest.MonkeyPatch,
    role: Callable[..., str],
    grants: tuple[str, ...],
    command: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setenv("DATABASE_URL", role(*grants))
    ran = aegis(*command)
    assert (ran.exit_code, ran.out) == (3, "")
    assert said in ran.err
    assert one_line(ran.err)


def test_a_role_that_may_not_use_the_schema_is_told_so_and_not_to_migrate(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, break_in: Callable[..., None], role: Callable[..., str]
) -> None:
    url = role(CONNECT, READ, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    try:
        monkeypatch.setenv("DATABASE_URL", url)
        ran = aegis("keys", "list")
        assert (ran.exit_code, "GRANT USAGE ON SCHEMA public" in ran.err) == (3, True)
        assert one_line(ran.err)
        (check,) = [check for check in aegis("doctor", "--json").json["checks"] if check["name"] == "schema"]
        assert "GRANT USAGE ON SCHEMA public" in check["seen"]
    finally:
        break_in("GRANT USAGE ON SCHEMA public TO PUBLIC")


def test_doctor_names_the_rights_that_a_role_lacks(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, role: Callable[..., str]
) -> None:
    every = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
    monkeypatch.setenv("DATABASE_URL", role(CONNECT, USAGE, every, "REVOKE INSERT ON jobs FROM {role}"))
    (check,) = [check for check in aegis("doctor", "--json").json["checks"] if check["name"] == "rights"]
    assert (check["verdict"], check["seen"]) == ("fail", "no INSERT on jobs")


def test_doctor_says_so_where_a_role_may_not_even_read_the_schemas_version(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, role: Callable[..., str]
) -> None:
    every = "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}"
    monkeypatch.setenv(
        "DATABASE_URL", role(CONNECT, USAGE, every, "REVOKE SELECT ON alembic_version, outbox FROM {role}")
    )
    checks = {check["name"]: check for check in aegis("doctor", "--json").json["checks"]}
    assert "permission denied for table alembic_version" in checks["PostgreSQL"]["seen"]
    assert "start PostgreSQL" not in checks["PostgreSQL"]["advice"]
    assert "no SELECT on outbox" in checks["rights"]["seen"]


def test_the_api_answers_503_where_its_role_lacks_a_right(
    role: Callable[..., str], database: Database
) -> None:
    shop = start_api(database.engine.url.render_as_string(hide_password=False)).merchant()
    every = "GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}"
    api = start_api(role(CONNECT, USAGE, every, "REVOKE INSERT ON payments FROM {role}"))
    shop = replace(shop, client=api.app.test_client())
    answer = shop.post_payment()
    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"]
    assert "permission" not in answer.text
    api.database.dispose()


def with_options(url: str, search_path: str) -> str:
    asked = make_url(url).update_query_dict({"options": f"-csearch_path={search_path}"})
    return asked.render_as_string(hide_password=False)


@pytest.mark.slow
def test_options_of_the_url_lead_every_command_to_the_same_tables(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database: Database, database_url: str
) -> None:
    database.run(lambda connection: connection.exec_driver_sql("CREATE SCHEMA other"))
    monkeypatch.setenv("DATABASE_URL", with_options(database_url, "other"))
    assert aegis("migrate").exit_code == 0
    assert aegis("keys", "create", "--merchant", "theirs").exit_code == 0
    assert [key["merchant_id"] for key in aegis("keys", "list", "--json").json] == ["theirs"]
    assert aegis("relay", "--once").exit_code == 0
    with database.read() as connection:
        here = connection.exec_driver_sql("SELECT count(*) FROM public.api_keys").scalar_one()
        there = connection.exec_driver_sql("SELECT count(*) FROM other.api_keys").scalar_one()
        runs = connection.exec_driver_sql("SELECT count(*) FROM other.reconciliation_runs").scalar_one()
    assert (here, there, runs) == (0, 1, 1)


def test_a_search_path_without_the_tables_is_named(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database: Database, database_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", with_options(database_url, "not_there"))
    for command in (("keys", "list"), ("migrate",)):
        ran = aegis(*command)
        assert ran.exit_code == 3
        assert "search_path" in ran.err
        assert one_line(ran.err)
    (check,) = [check for check in aegis("doctor", "--json").json["checks"] if check["name"] == "schema"]
    assert "options=-csearch_path%3Dpublic" in check["seen"]


def test_sessions_are_in_utc_whatever_pgtz_says(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("PGTZ", "Asia/Kolkata")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    assert aegis("keys", "create", "--merchant", "shop", "--label", "Küche €").exit_code == 0
    (key,) = aegis("keys", "list", "--json").json
    assert key["label"] == "Küche €"
    assert key["created_at"].endswith(("Z", "+00:00"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gateways.toml", b"[gateways.a]\nadapter = \n", "line 2, column 11"),
        ("gateways.toml", b"[gateways.a]\nadapter = 'null' # \xff\n", "line 2, column 20: is not UTF-8"),
        ("gateways.toml", b"gateways = 3\n", "must be tables"),
        ("gateways.toml", b"[gateways]\na = 3\n", "must be tables"),
        ("gateways.toml", b"[gateways.a]\nadapter = ['null']\n", "gateways.a.adapter: must be a string"),
        (
            "gateways.toml",
            b"[gateways.a]\nadapter = 'null'\ntimeout_s = '3'\n",
            "timeout_s: must be a number",
        ),
        ("gateways.toml", b"[gateways.a]\nadapter = 'null'\ncurrencies = 3\n", "currencies: must be a list"),
        (
            "gateways.toml",
            b"[gateways.a]\nadapter = 'null'\nenabled = 'no'\n",
            "enabled: must be true or false",
        ),
        ("gateways.toml", b"[gateways.a]\nadapter = 'null'\noptions = []\n", "options: must be a table"),
        ("gateways.toml", b"[gateways.a]\nadapter = 'sandbox'\nbase_url = 'h:x'\n", "base URL"),
        ("gateways.toml", b"[gateways.a]\nadapter = 'sandbox'\nbase_url = 'http://h:x'\n", "base URL"),
        (
            "gateways.toml",
            b"[gateways.a]\nadapter = 'sandbox'\nbase_url = 'http://h'\n[gateways.a.options]\nkey_lifetime_s = nan\n",
            "key_lifetime_s",
        ),
        (
            "gateways.toml",
            b"[gateways.a]\nadapter = 'sandbox'\nbase_url = 'http://h'\n[gateways.a.options]\nsteps = 3\n",
            "steps",
        ),
        ("gateways.toml", None, "Is a directory"),
        ("routing.toml", b"strategy = \n", "line 1, column 12"),
        ("routing.toml", b"\xff", "line 1, column 1: is not UTF-8"),
        ("routing.toml", b"strategy = 3\n", "strategy"),
        ("routing.toml", None, "Is a directory"),
    ],
)
def test_a_configuration_file_that_can_not_be_used_is_named_with_the_place(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    monkeypatch.setenv("AEGIS_CONFIG_DIR", str(tmp_path))
    (tmp_path / "gateways.toml").write_text("[gateways.a]\nadapter = 'null'\n")
    (tmp_path / name).unlink(missing_ok=True)
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    for command in (("routing", "show"), ("relay", "--once"), ("gateways",)):
        ran = aegis(*command)
        assert ran.exit_code == 3, command
        assert said in ran.err
        assert one_line(ran.err), ran.err
    (check,) = [check for check in aegis("doctor", "--json").json["checks"] if check["verdict"] == "fail"]
    assert said in check["seen"]


def test_a_byte_order_mark_is_skipped(aegis: Aegis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AEGIS_CONFIG_DIR", str(tmp_path))
    (tmp_path / "gateways.toml").write_text("\ufeff[gateways.a]\nadapter = 'null'\n")
    (tmp_path / "routing.toml").write_text("\ufefffallback = ['a']\n")
    assert aegis("routing", "show", "--json").json["config"]["fallback"] == ["a"]


def test_a_variable_that_nothing_reads_is_named_with_the_one_that_it_looks_like(
    aegis: Aegis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_LEASE_SECONDS", "90")
    monkeypatch.setenv("AEGIS_SANDBOX_A_KEYS", "hunter2")
    monkeypatch.setenv("AEGIS_DATABASE_URL", "postgresql://u:hunter2@h/db")
    monkeypatch.setenv("AEGIS_QUITE_ELSE_AND_LONG", "hunter2")
    ran = aegis("doctor", "--json")
    warned = [check["seen"] for check in ran.json["checks"] if check["verdict"] == "warn"]
    for name, near in (
        ("AEGIS_LEASE_SECONDS", "AEGIS_LEASE_S"),
        ("AEGIS_SANDBOX_A_KEYS", "AEGIS_SANDBOX_A_KEY"),
        ("AEGIS_DATABASE_URL", "DATABASE_URL"),
    ):
        assert f"{name} is set, and nothing reads it: did you mean {near}?" in warned
    assert any("AEGIS_QUITE_ELSE_AND_LONG" in line and "aegis.env.example" in line for line in warned)
    assert "hunter2" not in ran.out
    for known in ("AEGIS_SANDBOX_A_KEY", "AEGIS_ENV", "AEGIS_CONFIG_DIR", "AEGIS_SECRET"):
        assert not any(line.startswith(f"{known} ") for line in warned)


def test_every_variable_of_the_example_is_known() -> None:
    from aegis_worker.gateways.gateways_file import variables_of
    from aegis_worker.unknown_variables import unknown_variables

    lines = (CHECKOUT / "config" / "aegis.env.example").read_text().splitlines()
    names = {line.lstrip("#").split("=")[0] for line in lines if line.lstrip("#").startswith("AEGIS_")}
    gateways = CHECKOUT / "config" / "gateways.toml"
    in_tables_to_uncomment = set(re.findall(r'_env = "(AEGIS_\w+)"', gateways.read_text()))
    assert len(names) > 30
    assert unknown_variables(dict.fromkeys(names, ""), variables_of(gateways) | in_tables_to_uncomment) == []


@pytest.mark.slow
def test_an_application_under_another_server_ends_without_a_traceback_too() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from aegis_api.app import create_app; create_app()"],
        cwd=CHECKOUT,
        env={**os.environ, "DATABASE_URL": "postgresql://aegis:hun@ter2@127.0.0.1/aegis"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 3
    assert "aegis: DATABASE_URL has more than one @" in ran.stderr
    assert "Traceback" not in ran.stderr


def refusal_of(process: str, name: str, value: str) -> str:
    """The one line with which the process refuses to start under this setting."""
    ran = subprocess.run(
        PROCESSES[process],
        cwd=CHECKOUT,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr.count("\n")) == (3, 1), ran.stderr
    return ran.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AEGIS_HOOKS", "nobody.here:choose"),
        pytest.param("AEGIS_ROUTING_HOOKS", "our_routing:choose", marks=pytest.mark.slow),
        pytest.param("AEGIS_LEASE_S", "5", marks=pytest.mark.slow),
        pytest.param("AEGIS_OUTBOX_LEASE_S", "5", marks=pytest.mark.slow),
    ],
)
def test_a_worker_whose_settings_contradict_each_other_does_not_start(name: str, value: str) -> None:
    assert name in refusal_of("worker", name, value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AEGIS_WEB_WORKERS", "many"),
        ("AEGIS_WEB_THREADS", "0"),
        ("AEGIS_BIND", "127.0.0.1:port"),
        ("AEGIS_BIND", ":8000"),
        ("AEGIS_BIND", "unix:"),
    ],
)
def test_the_api_is_not_served_with_numbers_that_are_none(name: str, value: str) -> None:
    assert refusal_of("web", name, value).startswith(f"aegis: {name} must be")


@pytest.mark.slow
def test_a_process_says_at_its_start_which_variable_nothing_reads(tmp_path: Path) -> None:
    out = (tmp_path / "out").open("w+b")
    command = PROCESSES["web"]
    environ = {**os.environ, "AEGIS_BATCHES": "3", "AEGIS_BIND": f"127.0.0.1:{free_port()}"}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environ, stdout=out, stderr=out)
    try:
        assert eventually(
            lambda: b"did you mean AEGIS_BATCH?" in (tmp_path / "out").read_bytes(), within_s=30
        )
    finally:
        process.terminate()
        process.wait(timeout=30)
        out.close()
