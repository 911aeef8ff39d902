"""The schema: what it forbids whoever writes, and that migrations and tables agree."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint
from sqlalchemy.exc import DBAPIError
from support.payments import accept_one, rows

from aegis_worker.persistence import migrate
from aegis_worker.persistence.revisions import chain, current_revision
from aegis_worker.persistence.tables import metadata


def execute(database, sql):
    database.run(lambda connection: connection.exec_driver_sql(sql))


def test_the_migrated_schema_is_that_of_the_tables(database):
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_every_check_constraint_of_the_tables_is_in_the_database(database):
    declared = {
        (table.name, constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
    found = rows(
        database,
        "SELECT conrelid::regclass::text AS table, conname FROM pg_constraint"
        " WHERE contype = 'c' AND connamespace = 'public'::regnamespace",
    )
    assert {(row["table"], row["conname"]) for row in found} == declared


@pytest.mark.slow
def test_down_to_base_and_up_again(database, database_url):
    migrate.downgrade(database_url)
    tables = rows(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row["tablename"] for row in tables} <= {"alembic_version"}
    migrate.upgrade(database_url)
    with database.read() as connection:
        assert current_revision(connection) == chain()[-1]


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("UPDATE payment_events SET type = 'PAYMENT_FAILED'", "append-only"),
        ("DELETE FROM payment_events", "append-only"),
        ("TRUNCATE payment_events", "append-only"),
        ("UPDATE payments SET amount_minor = 1", "never change"),
        ("UPDATE payments SET currency = 'EUR'", "never change"),
        ("UPDATE payments SET version = 0", "version_positive"),
        ("DELETE FROM payments", "kept"),
        ("UPDATE payments SET captured_minor = -1", "amounts_not_negative"),
        ("UPDATE payments SET capturing_minor = -1", "amounts_not_negative"),
        ("UPDATE payments SET state = 'PAID'", "state_known"),
        ("UPDATE jobs SET status = 'running'", "running_has_lease"),
        ("UPDATE jobs SET status = 'succeeded'", "ended_has_time"),
        ("UPDATE jobs SET finished_at = now()", "ended_has_time"),
        (
            "INSERT INTO jobs (id, payment_id, merchant_id, operation, queue, status)"
            " SELECT 'job_x', payment_id, merchant_id, 'sync', 'verify', 'queued' FROM jobs",
            "jobs_one_open_per_payment",
        ),
    ],
)
def test_the_database_itself_refuses(database, statement, complaint):
    accept_one(database)
    with pytest.raises(DBAPIError, match=complaint):
        execute(database, statement)


@pytest.mark.parametrize("end", ["SUCCESS", "FAILURE", "CANCELLED"])
def test_a_terminal_state_is_final(database, end):
    accept_one(database)
    execute(database, f"UPDATE payments SET state = '{end}'")
    with pytest.raises(DBAPIError, match="final"):
        execute(database, "UPDATE payments SET state = 'PROCESSING'")


def test_a_version_never_falls(database):
    accept_one(database)
    execute(database, "UPDATE payments SET version = 3")
    with pytest.raises(DBAPIError, match="never falls"):
        execute(database, "UPDATE payments SET version = 2")
