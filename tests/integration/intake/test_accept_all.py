"""Accepting a list of payments: each stands by itself, as if they had come one after the other."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event
from support.payments import (
    a_command,
    accept,
    accept_all,
    accept_one,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.money import Money
from aegis_worker.errors import (
    AegisError,
    DatabaseUnavailable,
    RowRefused,
)
from aegis_worker.intake import Accepted, PaymentCommand
from aegis_worker.persistence.database import Database


def told(answers: list[Accepted | AegisError]) -> list[str]:
    """Each answer in a word."""
    return [
        type(answer).__name__
        if isinstance(answer, AegisError)
        else "replayed"
        if answer.replayed
        else "accepted"
        for answer in answers
    ]


def count_payments(database: Database) -> int:
    return int(rows(database, "SELECT count(*) FROM payments")[0]["count"])


@contextmanager
def units_of_work(database: Database) -> Iterator[list[Any]]:
    """The connections taken meanwhile: accepting takes one for each statement."""
    taken: list[Any] = []

    def note(dbapi_connection: Any, *more: Any) -> None:
        taken.append(dbapi_connection)

    event.listen(database.engine, "checkout", note)
    yield taken
    event.remove(database.engine, "checkout", note)


class Held:
    """A transaction of somebody else that holds what its statement wrote until `release`."""

    def __init__(self, database: Database, statement: str) -> None:
        held, self._release = threading.Event(), threading.Event()

        def hold(connection: Connection) -> None:
            connection.exec_driver_sql(statement)
            held.set()
            self._release.wait(30)
            connection.rollback()

        self._thread = threading.Thread(target=lambda: database.run(hold))
        self._thread.start()
        assert held.wait(10)

    def __enter__(self) -> None:
        """Held already."""

    def __exit__(self, *error: object) -> None:
        self._release.set()
        self._thread.join()


def accepted(answers: list[Accepted | AegisError]) -> list[Accepted]:
    """The answers, none of which is a refusal."""
    taken = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len(taken) == len(answers), told(answers)
    return taken


def keys_in_flight(database: Database, *keys: str) -> Held:
    values = ", ".join(f"('m_1', 'POST /v1/payments', '{key}', '', 'p', 'j')" for key in keys)
    return Held(
        database,
        "INSERT INTO idempotency_keys (merchant_id, route, key, request_hmac, payment_id, job_id) VALUES "
        + values,
    )


def test_a_list_is_accepted_whole_and_answered_in_its_order(database):
    answers = accept_all([a_command(f"k{n}", amount=Money(n, "USD")) for n in (3, 1, 2)], database)
    assert told(answers) == ["accepted"] * 3
    assert [answer.payment.amount.minor for answer in accepted(answers)] == [3, 1, 2]
    for answer in accepted(answers):
        assert story_of(database, answer.payment.id) == ["INITIATED"]
    assert len(rows(database, "SELECT * FROM jobs WHERE status = 'queued'")) == 3
    assert len(rows(database, "SELECT * FROM outbox")) == 3
    assert len({answer.created_at for answer in accepted(answers)}) == 1, "one statement, one time"


def test_a_list_takes_one_statement(database):
    with units_of_work(database) as taken:
        accept_all([a_command(f"k{n}") for n in range(50)], database)
    assert len(taken) == 1
    # By the transaction that wrote each row: PostgreSQL keeps its number in xmin.
    assert (
        len(rows(database, "SELECT DISTINCT xmin::text FROM payments UNION SELECT xmin::text FROM outbox"))
        == 1
    )


def test_what_was_accepted_before_is_told_again(database):
    first = accepted(accept_all([a_command("k1"), a_command("k2", metadata={"rate": 1e2})], database))
    run_until_quiet(pipeline(database, ScriptedGateway("a")))
    again = accept_all([a_command("k0"), a_command("k2", metadata={"rate": 1e2}), a_command("k1")], database)
    assert told(again) == ["accepted", "replayed", "replayed"]
    _, second_told, first_told = accepted(again)
    assert (second_told.payment, second_told.job_id) == (first[1].payment, first[1].job_id)
    assert first_told.created_at == first[0].created_at


def test_one_posted_singly_is_a_replay_in_a_list(database):
    single = accept_one(database, "k1")
    (answer,) = accepted(accept_all([a_command("k1")], database))
    assert (answer.replayed, answer.payment.id) == (True, single.payment.id)


def test_a_key_twice_in_a_list_is_replayed_or_refused(database):
    answers = accept_all(
        [a_command("k"), a_command("k"), a_command("k", request_hmac=b"x" * 32), a_command("k2")], database
    )
    assert told(answers) == ["accepted", "replayed", "IdempotencyKeyReused", "accepted"]
    first, again = accepted(answers[:2])
    assert again.payment == first.payment


def test_a_reference_twice_in_a_list_is_refused_the_second_time(database):
    answers = accept_all(
        [a_command("k1", reference="r"), a_command("k2", reference="r"), a_command("k3")], database
    )
    assert told(answers) == ["accepted", "DuplicateReference", "accepted"]
    assert [row["key"] for row in rows(database, "SELECT key FROM idempotency_keys ORDER BY key")] == [
        "k1",
        "k3",
    ]


def test_a_reference_that_is_live_already_is_refused_and_the_others_stand(database):
    accept_one(database, "before", reference="r3")
    answers = accept_all([a_command(f"k{n}", reference=f"r{n}") for n in range(6)], database)
    assert told(answers) == ["accepted"] * 3 + ["DuplicateReference"] + ["accepted"] * 2


def test_a_reference_is_free_again_after_its_payment_failed_also_where_that_one_is_repeated(database):
    accept_one(database, "k1", reference="r")
    run_until_quiet(pipeline(database, ScriptedGateway("a", currencies=frozenset({"EUR"}))))
    answers = accept_all([a_command("k1", reference="r"), a_command("k2", reference="r")], database)
    assert told(answers) == ["replayed", "accepted"]


@pytest.mark.parametrize("same", ["key", "reference"])
def test_a_list_of_one_key_or_one_reference_takes_no_statement_for_each(database, same):
    keys = ["k"] * 200 if same == "key" else [f"k{n}" for n in range(200)]
    accept_all([a_command("warm")], database)
    with units_of_work(database) as taken:
        answers = accept_all([a_command(key, reference="r") for key in keys], database)
    other = "replayed" if same == "key" else "DuplicateReference"
    assert told(answers) == ["accepted"] + [other] * 199
    assert len(taken) < 10


def test_twins_of_a_key_in_flight_elsewhere_do_not_wait_one_after_the_other(database):
    with keys_in_flight(database, "k"), units_of_work(database) as taken:
        answers = accept_all([a_command("k") for _ in range(100)], database)
    assert set(told(answers)) == {"IdempotencyInProgress"}
    assert len(taken) < 10


def test_the_same_key_of_other_merchants_is_theirs(database):
    answers = accept_all([a_command(merchant_id="m_1"), a_command(merchant_id="m_2")], database)
    assert told(answers) == ["accepted", "accepted"]


def test_a_key_in_flight_elsewhere_is_told_so_and_the_others_stand(database):
    with keys_in_flight(database, "k3"):
        answers = accept_all([a_command(f"k{n}") for n in range(8)], database)
    assert told(answers) == ["accepted"] * 3 + ["IdempotencyInProgress"] + ["accepted"] * 4
    assert told(accept_all([a_command(f"k{n}") for n in range(8)], database)) == (
        ["replayed"] * 3 + ["accepted"] + ["replayed"] * 4
    )


@pytest.mark.slow
def test_a_list_in_flight_elsewhere_is_not_waited_for_key_by_key(database):
    commands = [a_command(f"k{n:03}") for n in range(300)]
    with (
        keys_in_flight(database, *(command.idempotency_key for command in commands)),
        units_of_work(database) as taken,
    ):
        answers = accept_all(commands, database)
    assert set(told(answers)) == {"IdempotencyInProgress"}
    assert 1 < len(taken) < 60
    assert count_payments(database) == 0


def test_lists_with_the_same_keys_and_references_in_other_orders_do_not_wait_for_each_other_in_a_ring(
    database,
):
    forth = [a_command(f"k{n}", reference=f"r{-n}") for n in range(100)]
    back = [a_command(f"j{n}", reference=f"r{-n}") for n in range(100)]
    with ThreadPoolExecutor(4) as pool:
        lists = [forth, forth[::-1], back, back[::-1]]
        answers = list(pool.map(lambda commands: told(accept_all(commands, database)), lists))
    assert count_payments(database) == 100
    assert sum(each.count("accepted") for each in answers) == 100
    assert not any("IdempotencyInProgress" in each for each in answers)


def test_a_row_that_postgresql_refuses_is_refused_alone(database):
    broken = a_command("k2", metadata={"text": "\x00"})
    answers = accept_all([a_command("k1"), broken, a_command("k3"), a_command("k4")], database)
    assert told(answers) == ["accepted", "RowRefused", "accepted", "accepted"]
    refused = answers[1]
    assert isinstance(refused, RowRefused)
    assert str(refused.__cause__)
    with pytest.raises(RowRefused):
        accept(broken, database)


def test_a_database_that_goes_away_refuses_the_list_while_nothing_is_durable(database):
    name = database.engine.url.database
    database.run(
        lambda connection: connection.exec_driver_sql(
            f"ALTER DATABASE {name} SET default_transaction_read_only = on"
        )
    )
    database.dispose()
    with pytest.raises(DatabaseUnavailable):
        accept_all([a_command("k1"), a_command("k2")], database)


_merchants = itertools.count()
_requests = st.tuples(
    st.sampled_from("abc"), st.sampled_from([b"1" * 32, b"2" * 32]), st.sampled_from([None, "r", "s"])
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(_requests, max_size=3),
    failed=st.booleans(),
    requests=st.lists(_requests, min_size=2, max_size=8),
)
def test_a_list_is_told_what_its_payments_would_be_told_one_after_the_other(
    database, before, failed, requests
):
    def commands(merchant: str, given: list[tuple[str, bytes, str | None]]) -> list[PaymentCommand]:
        return [
            a_command(key, merchant_id=merchant, request_hmac=request_hmac, reference=reference)
            for key, request_hmac, reference in given
        ]

    def one_by_one(merchant: str, given: list[tuple[str, bytes, str | None]]) -> list[Accepted | AegisError]:
        return [answer for command in commands(merchant, given) for answer in accept_all([command], database)]

    alone, together = f"alone_{next(_merchants)}", f"together_{next(_merchants)}"
    for merchant in (alone, together):
        one_by_one(merchant, before)
    if failed:
        run_until_quiet(pipeline(database, ScriptedGateway("a", currencies=frozenset({"EUR"}))))
    singly, listed = one_by_one(alone, requests), accept_all(commands(together, requests), database)
    assert told(listed) == told(singly)
    assert _which(listed) == _which(singly)


def _which(answers: list[Accepted | AegisError]) -> list[int | None]:
    """Which answers tell of the same payment."""
    ids = [answer.payment.id if isinstance(answer, Accepted) else None for answer in answers]
    return [None if id_ is None else ids.index(id_) for id_ in ids]
