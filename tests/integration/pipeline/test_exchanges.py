"""What went out to gateways and came back is kept beside the attempts, without secrets, and never at an outcome's cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from support.database_dump import everything_in
from support.erasing import erase
from support.outbox_events import execute, settings_with
from support.payments import accept_one, let_pass, payment_of, pipeline, rows, run_until_quiet
from support.sandbox_calls import adapter_for
from support.sandbox_pair import SandboxPair, adapter, running_pair

from aegis_worker.domain.exchanges import AttemptExchange, CallKind
from aegis_worker.domain.transitions import State
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.lab.embedded.ports import free_port
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.exchange_rows import MOST_OF_ATTEMPT, PostgresExchanges
from aegis_worker.pipeline.exchanges import Exchanges
from aegis_worker.pipeline.parts import PipelineParts
from aegis_worker.pipeline.run import run
from aegis_worker.purge import purge
from aegis_worker.queries.exchanges import StoredExchange, exchanges_of


@pytest.fixture(scope="module")
def shared_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPair]:
    with running_pair(tmp_path_factory.mktemp("exchanges")) as pair:
        yield pair


@pytest.fixture
def pair(shared_pair: SandboxPair) -> Iterator[SandboxPair]:
    yield shared_pair
    shared_pair.heal()


class Failing:
    """A store that is away."""

    def __init__(self, error: Exception) -> None:
        self.error, self.tried = error, 0

    def keep(self, exchanges: Sequence[AttemptExchange]) -> None:
        self.tried += 1
        raise self.error


def noting(database: Database, *gateways: Any, **changes: Any) -> PipelineParts:
    kept: dict[str, Any] = {"exchanges": Exchanges(PostgresExchanges(database))}
    return pipeline(database, *gateways, **kept | changes)


def told_of(database: Database, payment_id: str) -> Sequence[StoredExchange]:
    with database.read() as connection:
        return exchanges_of(connection, payment_id)


def test_a_charge_is_told_with_its_amount_and_status_and_without_its_token(
    database: Database, pair: SandboxPair
) -> None:
    payment_id = accept_one(database, customer={"id": "cus_117", "email": "asha@shop.example"}).payment.id
    run(noting(database, adapter(pair.a)), "payments")
    (told,) = told_of(database, payment_id)
    request, answer = told.exchange.request, told.exchange.answer
    assert (told.operation, told.number, told.kind) == ("process", 1, "send")
    assert (request.method, request.path) == ("POST", "/v1/charges")
    assert request.headers["Authorization"] == "[hidden]"
    assert request.headers["Idempotency-Key"] == f"{payment_id}-p1"
    assert request.body["amount"] == 1999
    assert request.body["payment_method"] == {"type": "card", "token": "[hidden]"}
    assert answer is not None
    assert (answer.status, answer.body["status"]) == (200, "succeeded")
    assert "tok_ok" not in str(rows(database, "SELECT * FROM exchanges"))
    (attempt,) = rows(database, "SELECT sent_at, answered_at FROM attempts")
    assert attempt["sent_at"] <= told.at <= attempt["answered_at"]


def test_a_lost_answer_its_look_up_and_its_repeat_are_told_in_order(
    database: Database, pair: SandboxPair
) -> None:
    card = {"type": "card", "token": "tok_drop_once"}
    payment_id = accept_one(database, payment_method=card).payment.id
    parts = noting(database, adapter(pair.a, absence_window_s=0))
    run_until_quiet(parts)
    for _ in range(3):
        let_pass(database, 200)
        run(parts, "verify")
    assert payment_of(database, payment_id).state is State.SUCCESS
    told = told_of(database, payment_id)
    assert told[0].kind == "send"
    assert told[0].exchange.no_answer is not None
    assert told[0].exchange.no_answer.outcome == "unknown"
    assert {one.kind.value for one in told} >= {"send", "look_up"}
    assert sorted(told, key=lambda one: one.at) == list(told)


def test_what_never_left_is_told_as_well(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    run(noting(database, adapter_for(f"http://127.0.0.1:{free_port()}")), "payments")
    told = told_of(database, payment_id)
    assert {one.exchange.no_answer and one.exchange.no_answer.outcome for one in told} == {"not_sent"}


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), ValueError("a mistake of ours")])
def test_an_exchange_that_is_not_written_costs_no_outcome(
    database: Database, pair: SandboxPair, error: Exception
) -> None:
    away = Failing(error)
    payment_id = accept_one(database).payment.id
    run(noting(database, adapter(pair.a), exchanges=Exchanges(away)), "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert away.tried == 1


def test_what_was_not_written_is_written_later_where_postgresql_was_away(
    database: Database, pair: SandboxPair
) -> None:
    class AwayOnce(PostgresExchanges):
        was_away = False

        def keep(self, exchanges: Sequence[AttemptExchange]) -> None:
            if not self.was_away:
                self.was_away = True
                raise DatabaseUnavailable("away")
            super().keep(exchanges)

    parts = noting(database, adapter(pair.a), exchanges=Exchanges(AwayOnce(database), rest_s=0))
    payment_id = accept_one(database).payment.id
    run(parts, "payments")
    assert told_of(database, payment_id) == []
    run(parts, "payments")
    assert len(told_of(database, payment_id)) == 1


def test_nothing_is_noted_where_that_is_turned_off(database: Database, pair: SandboxPair) -> None:
    payment_id = accept_one(database).payment.id
    run(pipeline(database, adapter(pair.a)), "payments")
    assert payment_of(database, payment_id).state is State.SUCCESS
    assert rows(database, "SELECT * FROM exchanges") == []


def test_of_an_attempt_so_many_are_kept_and_no_more_and_the_same_once(
    database: Database, pair: SandboxPair
) -> None:
    kept: list[AttemptExchange] = []

    class Copying:
        def keep(self, exchanges: Sequence[AttemptExchange]) -> None:
            kept.extend(exchanges)

    accept_one(database)
    run(noting(database, adapter(pair.a), exchanges=Exchanges(Copying())), "payments")
    store, (one,) = PostgresExchanges(database), kept
    for _ in range(2):
        store.keep([one])
    assert len(rows(database, "SELECT * FROM exchanges")) == 1
    for id_ in range(1, MOST_OF_ATTEMPT + 10):
        store.keep([replace(one, id=id_, kind=CallKind.LOOK_UP)])
    assert len(rows(database, "SELECT * FROM exchanges")) == MOST_OF_ATTEMPT


@pytest.mark.parametrize(
    ("settings", "days", "gone"),
    [({}, 31, 1), ({}, 29, 0), ({"payer_keep_d": 7}, 8, 1), ({"exchange_keep_d": 0}, 0, 1)],
)
def test_exchanges_go_when_their_time_is_over_or_that_of_the_payers_details(
    database: Database, pair: SandboxPair, settings: dict[str, int], days: int, gone: int
) -> None:
    accept_one(database)
    run(noting(database, adapter(pair.a)), "payments")
    execute(database, "UPDATE exchanges SET at = now() - make_interval(days => %(days)s)", days=days)
    kept_d = {"payer_keep_d": 30, "exchange_keep_d": 30}
    assert purge(database, settings_with(**kept_d | settings))["exchanges"] == gone


def test_an_erased_customers_exchanges_are_gone_and_those_of_others_stay(
    database: Database, pair: SandboxPair
) -> None:
    for key, customer in (("one", "cus_117"), ("two", "cus_118")):
        accept_one(database, key, customer={"id": customer})
    run(noting(database, adapter(pair.a)), "payments")
    assert erase(database).counts["exchanges"] == 1
    assert len(rows(database, "SELECT * FROM exchanges")) == 1


def test_the_payers_details_are_nowhere_in_it(database: Database, pair: SandboxPair) -> None:
    payer = {
        "email": "canary@shop.example",
        "ip": "203.0.113.211",
        "billing_address": {"name": "Asha Canary"},
    }
    payment_id = accept_one(database, payer=payer, description="canary words").payment.id
    run(noting(database, adapter(pair.a)), "payments")
    (told,) = told_of(database, payment_id)
    assert told.exchange.request.body["payer"]["email"] == "[hidden]"
    told_text = str(rows(database, "SELECT told FROM exchanges"))
    assert not [canary for canary in ("canary", "203.0.113.211", "Asha") if canary in told_text]
    execute(database, "DELETE FROM payer_details")
    assert "203.0.113.211" not in everything_in(database)
