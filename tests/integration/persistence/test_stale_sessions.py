"""Prepared statements outlive neither a migration nor a session that forgets them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.payments import accept_one, pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway

from aegis_worker.persistence.database import Database


@pytest.fixture
def gateway() -> ScriptedGateway:
    """One for the whole test: no two payments have the same reference there."""
    return ScriptedGateway("a")


@pytest.fixture
def one_more_column(database: Database, gateway: ScriptedGateway) -> Iterator[None]:
    """A payment goes its way; then `payments` gets a column, as a migration under running workers would add it."""
    _pays(database, gateway, "before")
    _do(database, "ALTER TABLE payments ADD COLUMN of_a_later_version TEXT")
    yield
    _do(database, "ALTER TABLE payments DROP COLUMN of_a_later_version")


@pytest.mark.usefixtures("one_more_column")
def test_workers_go_on_over_a_migration_that_adds_a_column(
    database: Database, gateway: ScriptedGateway
) -> None:
    _pays(database, gateway, "after")


def test_a_session_that_forgot_what_it_prepared_is_left_for_another(
    database: Database, gateway: ScriptedGateway
) -> None:
    _pays(database, gateway, "before")
    _do(database, "DEALLOCATE ALL")
    _pays(database, gateway, "after")


def _pays(database: Database, gateway: ScriptedGateway, key: str) -> None:
    payment_id = accept_one(database, key).payment.id
    run_until_quiet(pipeline(database, gateway))
    (payment,) = rows(database, "SELECT state FROM payments WHERE id = %(id)s", id=payment_id)
    assert payment["state"] == "SUCCESS"


def _do(database: Database, statement: str) -> None:
    database.run(lambda connection: connection.exec_driver_sql(statement))
