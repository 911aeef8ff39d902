"""The bench's parts on a real PostgreSQL: its rows are those of intake, its meter counts what was done."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, TypeAlias

import psycopg2
import pytest
from sqlalchemy import make_url
from support.payments import accept

from aegis_api.payments.accepting import terms_of
from aegis_worker.domain.modes import Owner
from aegis_worker.intake import PaymentCommand
from aegis_worker.lab.bench import floor
from aegis_worker.lab.bench.finished import ends_of
from aegis_worker.lab.bench.meter import Meter, spent
from aegis_worker.lab.bench.seed import ORDER, seed_accepted, seed_finished
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence.database import Database

TABLES = ("payments", "payment_events", "jobs", "outbox", "idempotency_keys", "attempts")
# Of each payment its own, or the moment's.
OWN = {"id", "payment_id", "job_id", "request_hmac", "key", "reference"}

Cursor: TypeAlias = psycopg2.extensions.cursor


@pytest.fixture
def cursor(stores: Stores, database_url: str) -> Iterator[Cursor]:
    connection = connect(stores, str(make_url(database_url).database))
    yield connection.cursor()
    connection.close()


def connect(stores: Stores, database: str) -> psycopg2.extensions.connection:
    url = make_url(stores.postgres.url).set(drivername="postgresql", username="postgres", database=database)
    connection = psycopg2.connect(url.render_as_string(hide_password=False))
    connection.autocommit = True
    return connection


def rows_of(cursor: Cursor, table: str) -> list[dict[str, Any]]:
    cursor.execute(f"SELECT * FROM {table}")
    assert cursor.description is not None
    names = [column.name for column in cursor.description]
    return [
        {name: value for name, value in zip(names, row, strict=True) if name not in OWN}
        for row in cursor.fetchall()
    ]


def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        for name in row:
            if name.endswith("_at") or name == "at":
                row[name] = row[name] is not None
        if isinstance(row.get("data"), dict):
            row["data"] = {name: value for name, value in row["data"].items() if name != "reference"}
    return rows


def test_seeded_payments_are_those_that_intake_accepts(cursor: Cursor, database: Database) -> None:
    seed_accepted(cursor, "m_1", "seeded", 2)
    seeded = {table: without_times(rows_of(cursor, table)) for table in TABLES}
    accept(
        PaymentCommand(
            owner=Owner("m_1", "test"),
            route="POST /v1/payments",
            idempotency_key="accepted",
            request_hmac=b"x" * 32,
            terms=terms_of({"amount": 1999, "reference": "accepted", **ORDER}),
        ),
        database,
    )
    for table in TABLES:
        both = without_times(rows_of(cursor, table))
        assert len(seeded[table]) == (0 if table == "attempts" else 2)
        assert both == seeded[table] + seeded[table][:1], table


def test_finished_payments_have_their_history_and_their_events_in_the_outbox(cursor: Cursor) -> None:
    assert seed_finished(cursor, "m_1", "told", 1, told=True) == 3
    assert rows_of(cursor, "outbox") == []
    seed_finished(cursor, "m_1", "untold", 2, told=False)
    assert [row["seq"] for row in rows_of(cursor, "outbox")] == [1, 2, 3] * 2
    assert {(row["state"], row["version"]) for row in rows_of(cursor, "payments")} == {("SUCCESS", 3)}
    cursor.execute(
        "SELECT bool_and(e.data->>'gateway_ref' = p.gateway_ref AND p.gateway_ref = 'null_' || p.id)"
        " FROM payments p JOIN payment_events e ON e.payment_id = p.id WHERE e.seq = 3"
    )
    assert cursor.fetchone() == (True,)


def test_the_ends_are_told_and_what_is_missing_is_wrong(cursor: Cursor) -> None:
    seed_finished(cursor, "m_1", "a", 2, told=True)
    seed_accepted(cursor, "m_1", "b", 1)
    ends, wrong = ends_of(cursor, "m_1", "a", 2)
    assert (len(ends), wrong) == (2, None)
    assert ends_of(cursor, "m_1", "a", 3)[1] == "of 3 accepted payments 2 were charged (2 SUCCESS)"
    assert ends_of(cursor, "m_1", "b", 1)[1] == "of 1 accepted payments 0 were charged (1 INITIATED)"


def test_the_meter_counts_commits_and_statements_of_the_role_alone(
    stores: Stores, cursor: Cursor, database_url: str
) -> None:
    meters = connect(stores, "postgres")
    ours = psycopg2.connect(make_url(database_url).set(drivername="postgresql").render_as_string(False))
    meter = Meter({"test": []}, meters.cursor(), "aegis")
    cursor.execute("CREATE TABLE counted (n int)")
    cursor.execute("GRANT ALL ON counted TO aegis")
    before = meter.read()
    for n in range(5):
        ours.cursor().execute("INSERT INTO counted VALUES (%s)", (n,))
        ours.commit()
    cursor.execute("SELECT 1")
    after = meter.read()
    figures = spent(before, after, 5, "payment", {"load": 10.0})
    ours.close()
    meters.close()
    assert figures["round_trips_per_payment"] == 3, "BEGIN, INSERT, COMMIT"
    assert 1 <= figures["commits_per_payment"] < 3  # an autovacuum may come between
    assert figures["wal_bytes_per_payment"] > 0
    assert figures["cpu_ms_by_part"] == {"test": 0.0, "load": 2.0}
    assert figures["cpu_ms_per_payment"] == 2.0


def test_the_meter_counts_children_that_have_ended(stores: Stores) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\nprint('done', flush=True)\ninput()"
    meters = connect(stores, "postgres")
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        meter = Meter({"parent": [process.pid]}, meters.cursor(), "aegis")
        cpu_ms = meter.read().cpu_ms["parent"]
        memory_mb = meter.memory_mb()["parent"]
        process.communicate("")
    meters.close()
    assert cpu_ms >= 250
    assert memory_mb > 1


def test_the_floor_writes_a_row(cursor: Cursor, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cursor.execute(floor.TABLE)
    cursor.execute("GRANT ALL ON bench_floor TO aegis")
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    client = floor.create_app().test_client()
    body = {**ORDER, "amount": 1999}
    answer = client.post(floor.PATH, json=body, headers={"Idempotency-Key": "k-1"})
    assert (answer.status_code, answer.json) == (202, {"id": "k-1", "status": "accepted"})
    cursor.execute("SELECT id, amount_minor, currency, body FROM bench_floor")
    assert cursor.fetchall() == [("k-1", 1999, "USD", body)]
