"""Prepared statements: parsed once for a connection, and planned anew for tables that have grown."""

from __future__ import annotations

import time

import pytest
from support.payments import rows

from aegis_worker.persistence import prepared
from aegis_worker.persistence.prepared import Prepared

OF_PAYMENT = Prepared("attempts_of", "SELECT count(*) FROM attempts WHERE payment_id = $1", "text")
# A table of the session's own, which hides the real one: what other tests left in that one would change the plans.
NEVER_USED = "CREATE TEMPORARY TABLE attempts (payment_id TEXT PRIMARY KEY, gateway TEXT)"
GROW = "INSERT INTO attempts SELECT 'pay_' || n, 'g' FROM generate_series(1, 5000) n"


@pytest.fixture
def connection(database):
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
        yield connection


def plan(connection):
    found = connection.exec_driver_sql("EXPLAIN EXECUTE attempts_of ('pay_1')").scalars()
    return "\n".join(found)


def test_a_plan_made_for_an_empty_table_does_not_outlive_its_growth(connection, monkeypatch):
    connection.exec_driver_sql(NEVER_USED)
    connection.exec_driver_sql("ANALYZE attempts")
    assert OF_PAYMENT.execute(connection, "pay_1").scalar_one() == 0
    assert "Seq Scan" in plan(connection)
    connection.exec_driver_sql(GROW)
    assert OF_PAYMENT.execute(connection, "pay_1").scalar_one() == 1
    assert "Seq Scan" in plan(connection), "the plan still holds"
    monkeypatch.setitem(connection.info, "plans_hold_until_s", time.monotonic())
    assert OF_PAYMENT.execute(connection, "pay_1").scalar_one() == 1
    assert "Seq Scan" not in plan(connection)
    assert connection.info["plans_hold_until_s"] <= time.monotonic() + prepared._PLANS_HOLD_S


def test_a_statement_is_parsed_once_for_each_connection_and_a_rollback_does_not_forget_it(database):
    with database.engine.connect() as connection:
        for _ in range(3):
            OF_PAYMENT.execute(connection, "pay_1")
            connection.rollback()
        names = connection.exec_driver_sql("SELECT name FROM pg_prepared_statements").scalars().all()
    assert names == ["attempts_of"]
    assert rows(database, "SELECT count(*) AS n FROM attempts") == [{"n": 0}]
