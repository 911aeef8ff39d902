"""PostgreSQL's own log holds nothing of what merchants send, however their statements fail; nor does an error's text."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from support.api_client import settings_for, start_api
from support.payments import accept_one

from aegis_worker.errors import AegisError
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.prepared import Prepared

pytestmark = pytest.mark.row(61)

EMAIL, TOKEN = "canary.of.the.log@shop.example", "tok_canary_of_the_log"
CARD = {"type": "card", "token": TOKEN}
CUSTOMER = {"email": EMAIL}
_SLOW = Prepared("slow_canary", "SELECT pg_sleep(20), $1::text", "text")


@pytest.fixture
def product(database_url: str) -> Iterator[Database]:
    """Connected as the product connects."""
    database = Database.connect(settings_for(database_url), application="test")
    yield database
    database.dispose()


@pytest.fixture
def told(stores: Stores, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What PostgreSQL and this process have written since the test began."""
    path = Path(stores.postgres.log_path)
    before = path.stat().st_size

    def since() -> str:
        printed = capfd.readouterr()
        return path.read_bytes()[before:].decode(errors="replace") + printed.out + printed.err

    return since


def failed(work: Callable[[], Any]) -> str:
    """The whole text of the error that `work` ends in, with all that it was raised from."""
    try:
        work()
    except Exception as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError("it did not fail")


def clean(text: str) -> bool:
    return EMAIL not in text and TOKEN not in text


def test_a_reference_used_twice(database_url: str, told: Callable[[], str]) -> None:
    shop = start_api(database_url).merchant()
    for key in ("one", "two"):
        answer = shop.post_payment(
            key=key, reference=EMAIL, customer=CUSTOMER, payer=CUSTOMER, payment_method=CARD
        )
    assert answer.status_code == 409
    assert clean(told())


def test_a_row_that_violates_a_constraint(product: Database, told: Callable[[], str]) -> None:
    payment_id = accept_one(product, customer=CUSTOMER, payment_method=CARD).payment.id
    statement = "UPDATE payments SET state = %(state)s WHERE id = %(id)s"

    def violate(connection: Connection) -> None:
        connection.exec_driver_sql(statement, {"state": EMAIL, "id": payment_id})

    text = failed(lambda: product.run(violate))
    assert "violates check constraint" in text
    assert clean(text)
    assert clean(told())


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT %(email)s::int",
        "SELECT %(email)s::jsonb",
        "SELECT %(email)s::timestamptz",
        "SELECT * FROM json_to_recordset(json_build_array(json_build_object('a', %(email)s))) AS x(a int)",
        "INSERT INTO payments (id, customer) VALUES (%(email)s, 'null')",
        "SELECT 1 / (length(%(email)s) - length(%(email)s))",
    ],
)
def test_a_value_that_postgresql_does_not_take(
    product: Database, told: Callable[[], str], statement: str
) -> None:
    text = failed(lambda: product.run(lambda one: one.exec_driver_sql(statement, {"email": EMAIL})))
    assert clean(text)
    assert clean(told())


@pytest.mark.parametrize("timeout", ["statement_timeout", "lock_timeout"])
def test_a_statement_that_takes_too_long(product: Database, told: Callable[[], str], timeout: str) -> None:
    payment_id = accept_one(product, customer=CUSTOMER, payment_method=CARD).payment.id
    statement = "UPDATE payments SET description = %(email)s WHERE id = %(id)s"

    def too_long(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL {timeout} = 100")
        connection.exec_driver_sql(statement, {"email": EMAIL, "id": payment_id})

    def hold(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT FROM payments FOR UPDATE")
        text = failed(lambda: product.run(too_long))
        assert "DatabaseUnavailable" in text or "LockTimeout" in text
        assert clean(text)

    product.run(hold)
    assert clean(told())


def test_a_deadlock(product: Database, told: Callable[[], str]) -> None:
    ids = [accept_one(product, f"k{n}", customer=CUSTOMER).payment.id for n in range(2)]
    both_hold = threading.Barrier(2)
    texts: list[str] = []

    def take_both(order: list[str]) -> None:
        statement = "UPDATE payments SET description = %(email)s WHERE id = %(id)s"
        with product.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql(statement, {"email": EMAIL, "id": order[0]})
            both_hold.wait(timeout=20)
            connection.exec_driver_sql(statement, {"email": EMAIL, "id": order[1]})

    def noting_how_it_ends(order: list[str]) -> None:
        try:
            take_both(order)
        except Exception as error:
            texts.append("".join(traceback.format_exception(error)))

    threads = [threading.Thread(target=noting_how_it_ends, args=(order,)) for order in (ids, ids[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(texts) == 1
    assert "deadlock detected" in texts[0]
    assert clean(texts[0])
    assert clean(told())


@pytest.mark.parametrize("end", ["pg_cancel_backend", "pg_terminate_backend"])
@pytest.mark.parametrize("is_prepared", [True, False])
def test_a_statement_that_an_operator_ends(
    product: Database, database: Database, told: Callable[[], str], end: str, is_prepared: bool
) -> None:
    find_and_end = f"SELECT {end}(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"

    def end_it() -> None:
        for _ in range(1000):
            with database.read() as connection:
                if connection.exec_driver_sql(find_and_end).all():
                    return
            time.sleep(0.02)

    def run() -> object:
        with product.engine.begin() as connection:
            if is_prepared:
                return _SLOW.execute(connection, EMAIL).all()
            return connection.exec_driver_sql("SELECT pg_sleep(20), %(email)s", {"email": EMAIL}).all()

    thread = threading.Thread(target=end_it)
    thread.start()
    text = failed(run)
    thread.join()
    assert clean(text)
    assert clean(told())


def test_a_hot_statement_run_by_itself(product: Database, told: Callable[[], str]) -> None:
    refusing = Prepared("refusing_canary", "SELECT ($1::json ->> 'email')::int", "json")
    text = failed(lambda: product.run_alone(refusing, f'{{"email": "{EMAIL}"}}'))
    assert clean(text)
    malformed = Prepared("malformed_canary", "SELECT $1::json", "json")
    assert clean(failed(lambda: product.run_alone(malformed, f'{{"email": {EMAIL}')))
    assert clean(told())


def test_what_the_product_raises_about_a_row_still_says_which_rule_was_broken(product: Database) -> None:
    accept_one(product, "one", reference=EMAIL)
    with pytest.raises(AegisError, match="reference"):
        accept_one(product, "two", reference=EMAIL)
