"""Requests that come at the same time share a statement, and each keeps its own answer."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Connection, event
from support.accepting_process import accept_in_threads
from support.outbox_events import settings_with
from support.payments import a_command, rows

from aegis_worker.errors import (
    DatabaseUnavailable,
    DuplicateReference,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    RowRefused,
)
from aegis_worker.intake import Accepted, Intake, PaymentCommand
from aegis_worker.persistence.database import Database

# A limit for a busy machine.
_SOON_S = 30.0


@pytest.fixture
def web(database_url: str) -> Iterator[Database]:
    """The database as a web process connects to it: with five connections."""
    database = Database.connect(settings_with(database_url=database_url), application="test")
    yield database
    database.dispose()


@pytest.fixture
def intake(web: Database) -> Intake:
    return Intake(web, wait_s=_SOON_S)


class Hold:
    """`come` is set when the first statement is about to begin, which it does once `go_on` is set."""

    def __init__(self) -> None:
        self.come, self.go_on = threading.Event(), threading.Event()


@contextmanager
def writing_held_up(database: Database, error: BaseException | None = None) -> Iterator[Hold]:
    """The first statement does not begin until it may. The second fails with `error`, if one is given."""
    held, checkouts = Hold(), itertools.count()

    def hold(*connection: Any) -> None:
        number = next(checkouts)
        if number == 0:
            held.come.set()
            assert held.go_on.wait(_SOON_S)
        elif number == 1 and error is not None:
            raise error

    event.listen(database.engine, "checkout", hold)
    yield held
    event.remove(database.engine, "checkout", hold)


Answers = list[Accepted | BaseException]


def together(
    web: Database, intake: Intake, *commands: PaymentCommand, error: BaseException | None = None
) -> Answers:
    """What each was told, all of them having come while one before them was being written."""
    with ThreadPoolExecutor(len(commands) + 1) as pool, writing_held_up(web, error) as held:
        asked: list[Future[Accepted]] = []
        for number, command in enumerate([a_command("first"), *commands]):
            asked.append(pool.submit(intake.accept, command))
            while number > len(intake._few._line) or not intake._few._led:
                time.sleep(0.001)
        held.go_on.set()
        return [each.exception(_SOON_S) or each.result() for each in asked[1:]]


def accepted(answers: Answers) -> list[Accepted]:
    taken = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len(taken) == len(answers), answers
    return taken


def written_by(database: Database) -> int:
    """How many transactions wrote the payments: PostgreSQL keeps their numbers in xmin."""
    return len(rows(database, "SELECT DISTINCT xmin::text FROM payments"))


def test_who_comes_while_one_is_written_shares_the_next_statement(web: Database, intake: Intake) -> None:
    answers = accepted(together(web, intake, *(a_command(f"k{n}", metadata={"n": n}) for n in range(10))))
    assert [answer.payment.terms.metadata for answer in answers] == [{"n": n} for n in range(10)]
    assert not any(answer.replayed for answer in answers)
    assert written_by(web) == 2


def test_the_same_key_in_one_group_is_one_payment(web: Database, intake: Intake) -> None:
    first, again, other, reused = together(
        web,
        intake,
        a_command("k"),
        a_command("k"),
        a_command("k2"),
        a_command("k", request_hmac=b"x" * 32),
    )
    one, same, _ = accepted([first, again, other])
    assert (one.replayed, same.replayed, same.payment) == (False, True, one.payment)
    assert isinstance(reused, IdempotencyKeyReused)
    assert len(rows(web, "SELECT id FROM payments")) == 3


def test_one_reference_in_one_group_is_one_payment(web: Database, intake: Intake) -> None:
    first, second = together(web, intake, a_command("k1", reference="r"), a_command("k2", reference="r"))
    assert isinstance(first, Accepted)
    assert isinstance(second, DuplicateReference)


def test_a_row_that_postgresql_refuses_is_refused_alone(web: Database, intake: Intake) -> None:
    broken = a_command("k2", metadata={"text": "\x00"})
    first, refused, last = together(web, intake, a_command("k1"), broken, a_command("k3"))
    accepted([first, last])
    assert isinstance(refused, RowRefused)


def hold(elsewhere: Connection, keys: Sequence[str]) -> None:
    for key in keys:
        elsewhere.exec_driver_sql(
            "INSERT INTO idempotency_keys (merchant_id, route, key, request_hmac, payment_id, job_id)"
            f" VALUES ('m_1', 'POST /v1/payments', '{key}', '', 'p', 'j')"
        )


def test_keys_held_elsewhere_hold_up_nobody_else(web: Database, database: Database, intake: Intake) -> None:
    held = [f"held{n}" for n in range(6)]

    def accept(number: int) -> Accepted:
        """As a merchant would, who on a busy machine may be told to come back where a request beside it waits."""
        for _ in range(9):
            with suppress(IdempotencyInProgress):
                return intake.accept(a_command(f"k{number}"))
        return intake.accept(a_command(f"k{number}"))

    with database.engine.begin() as elsewhere:
        hold(elsewhere, held)
        with ThreadPoolExecutor(16) as pool:
            stuck = [pool.submit(intake.accept, a_command(key)) for key in held]
            others = [pool.submit(accept, n) for n in range(40)]
            assert not any(other.result(_SOON_S).replayed for other in others)
            elsewhere.rollback()
            answers = [each.exception(_SOON_S) or each.result() for each in stuck]
    # Who was still waiting is accepted. Who had waited for 2 s on a busy machine was told so.
    refused = [each for each in answers if not isinstance(each, Accepted)]
    assert all(isinstance(each, IdempotencyInProgress) for each in refused)
    assert len(rows(web, "SELECT id FROM payments")) == 40 + len(answers) - len(refused)


@pytest.mark.slow
def test_of_many_who_wait_for_one_key_each_is_told_that_it_is_in_progress(
    web: Database, database: Database, intake: Intake
) -> None:
    with database.engine.begin() as elsewhere:
        hold(elsewhere, ["held"])
        answers = together(web, intake, *[a_command("held")] * 6)
        elsewhere.rollback()
    assert {type(each) for each in answers} == {IdempotencyInProgress}


def test_who_follows_for_too_long_is_told_to_come_back_and_is_never_written(web: Database) -> None:
    impatient = Intake(web, wait_s=0.2)
    with ThreadPoolExecutor(2) as pool, writing_held_up(web) as held:
        leader = pool.submit(impatient.accept, a_command("first"))
        assert held.come.wait(_SOON_S)
        with pytest.raises(DatabaseUnavailable, match="still being written"):
            impatient.accept(a_command("k"))
        held.go_on.set()
        assert not leader.result(_SOON_S).replayed
    assert rows(web, "SELECT key FROM idempotency_keys") == [{"key": "first"}]
    assert not impatient.accept(a_command("k")).replayed


def test_single_payments_do_not_wait_for_a_long_list(web: Database, intake: Intake) -> None:
    with ThreadPoolExecutor(2) as pool, writing_held_up(web) as held:
        listed = pool.submit(intake.accept_all, [a_command(f"listed{n}") for n in range(51)])
        assert held.come.wait(_SOON_S)
        assert not intake.accept(a_command("single")).replayed
        held.go_on.set()
        answers = listed.result(_SOON_S)
    assert [isinstance(answer, Accepted) for answer in answers] == 51 * [True]
    assert written_by(web) == 2


def test_where_a_leader_dies_its_followers_are_accepted_all_the_same(web: Database, intake: Intake) -> None:
    died, *others = together(web, intake, *(a_command(f"k{n}") for n in range(5)), error=SystemExit())
    assert isinstance(died, SystemExit)
    accepted(others)
    assert not intake.accept(a_command("later")).replayed


@pytest.mark.slow
def test_where_the_connection_is_cut_everyone_is_accepted_once(
    web: Database, database: Database, intake: Intake
) -> None:
    stop = threading.Event()

    def cut() -> None:
        while not stop.wait(0.02):
            rows(
                database,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND usename = current_user",
            )

    def accept(number: int) -> str:
        while True:
            with suppress(DatabaseUnavailable, IdempotencyInProgress):
                return intake.accept(a_command(f"k{number % 80}")).payment.id

    cutting = threading.Thread(target=cut)
    cutting.start()
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(accept, range(160)))
    stop.set()
    cutting.join()
    assert ids[:80] == ids[80:]
    assert len(rows(database, "SELECT id FROM payments")) == 80 == len(set(ids))


@pytest.mark.slow
def test_processes_that_accept_the_same_keys_make_one_payment_of_each(
    database_url: str, database: Database
) -> None:
    keys = [f"k{n}" for n in range(60)]
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as processes:
        asked = [
            processes.submit(accept_in_threads, database_url, order, 8)
            for order in (keys, keys[::-1], keys[30:] + keys[:30])
        ]
        answers = [answer for each in asked for answer in each.result(120)]
    told = Counter((key, said) for key, said, _ in answers if said != "idempotency_in_progress")
    assert {key for key, _ in told} == set(keys)
    assert len(told) == len(keys)
    assert sum(not replayed for _, said, replayed in answers if said != "idempotency_in_progress") == len(
        keys
    )
    assert len(rows(database, "SELECT id FROM payments")) == len(keys)
