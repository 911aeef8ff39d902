"""PostgreSQL cut off, exhausted, deadlocked, read-only, restarted: retried or told, never paid for with a second charge."""

from __future__ import annotations

import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import psutil
import psycopg2
import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from support import api_client
from support.api_client import Api, Merchant, start_api
from support.installation import SOON_S, Installation, Reply, card, wait_until
from support.ledger_checks import Books
from support.outbox_events import settings_with
from support.payments import (
    accept_one,
    attempts_of,
    end_leases,
    pipeline,
    rows,
    run_until_quiet,
    story_of,
)
from support.process_logs import ProcessLogs
from support.resources_at_rest import Baseline
from support.scripted_gateway import ScriptedGateway
from support.tcp_proxy import TcpProxy

from aegis_worker.delivery.webhooks.endpoints import MAX_ENDPOINTS, create_endpoint, list_endpoints
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.outcomes import Outcome
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.hints import NoHints
from aegis_worker.lab.embedded.postgres import EmbeddedPostgres
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence.database import Database, sqlstate
from aegis_worker.pipeline.run import run
from aegis_worker.reconcile import ReconcileParts, reconcile

_BOUND_S = 20.0
_CHARGED = ["INITIATED", "PROCESSING", "SUCCEEDED"]


class Superuser:
    """A session that may do what an operator or a fault does, on the test's own database."""

    def __init__(self, stores: Stores, database_url: str) -> None:
        self.database = make_url(database_url).database
        url = make_url(stores.postgres.url).set(
            drivername="postgresql", username="postgres", database=self.database
        )
        self._dsn = url.render_as_string(hide_password=False)

    @contextmanager
    def session(self, *, autocommit: bool = True) -> Iterator[Any]:
        connection = psycopg2.connect(self._dsn)
        connection.autocommit = autocommit
        try:
            with connection.cursor() as cursor:
                # Of two that block each other the one that has waited this long is ended: never this session.
                cursor.execute("SET deadlock_timeout = '60s'; SET default_transaction_read_only = off")
                yield cursor
            if not autocommit:
                connection.commit()
        finally:
            connection.close()

    def do(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.session() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def end_backend(self, pid: int) -> None:
        self.do("SELECT pg_terminate_backend(%s, 5000)", pid)

    def make_read_only(self) -> None:
        """As a failover to a standby does it: sessions end, new ones can't write."""
        self.do(f"ALTER DATABASE {self.database} SET default_transaction_read_only = on")
        self.do(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    def make_writable(self) -> None:
        self.do(f"ALTER DATABASE {self.database} RESET default_transaction_read_only")

    def wait_for_one_that_waits(self) -> None:
        """Until some backend waits for a row."""
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        _wait_until(lambda: bool(self.do(waiting)))


@pytest.fixture
def superuser(stores: Stores, database_url: str) -> Superuser:
    return Superuser(stores, database_url)


@pytest.fixture
def api(database_url: str) -> Iterator[Api]:
    api = start_api(database_url)
    yield api
    api.database.dispose()


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _BOUND_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def cut_at_commit(superuser: Superuser, engine: Engine, number: int, *, after: bool) -> Iterator[list[int]]:
    """End the backend of the `number`-th transaction that commits: before it does, or after, when nobody can say so."""
    commits: list[int] = []

    def cut(connection: Any) -> None:
        raw = connection.connection.dbapi_connection
        commits.append(raw.info.backend_pid)
        if len(commits) != number:
            return
        if after:
            raw.commit()
            raw.cursor().execute("SELECT 1")  # so that the driver sends its COMMIT, and learns nothing
        superuser.end_backend(raw.info.backend_pid)

    event.listen(engine, "commit", cut)
    try:
        yield commits
    finally:
        event.remove(engine, "commit", cut)


@contextmanager
def errors_seen(engine: Engine) -> Iterator[list[str | None]]:
    """The codes of PostgreSQL's errors meanwhile."""
    seen: list[str | None] = []

    def note(context: Any) -> None:
        seen.append(sqlstate(context.sqlalchemy_exception))

    event.listen(engine, "handle_error", note)
    try:
        yield seen
    finally:
        event.remove(engine, "handle_error", note)


@pytest.mark.row(19)
def test_a_request_whose_backend_dies_before_its_statement_is_accepted(
    api: Api, shop: Merchant, superuser: Superuser
) -> None:
    assert shop.get("/v1/payments").status_code == 200
    ended: list[int] = []

    def end_the_first(raw: Any, *more: Any) -> None:
        if not ended:
            ended.append(raw.info.backend_pid)
            superuser.end_backend(ended[0])

    event.listen(api.database.engine, "checkout", end_the_first)
    assert_accepted_once(api, shop, shop.post_payment(key="one"))
    assert ended


@pytest.mark.row(19)
def test_a_request_that_does_not_hear_of_its_commit_is_accepted_once_and_told_as_new(
    stores: Stores, database_url: str, superuser: Superuser
) -> None:
    with TcpProxy(stores.postgres.port) as proxy, ThreadPoolExecutor(1) as pool:
        api = start_api(proxy.in_front_of(database_url))
        shop = api.merchant()
        assert shop.get("/v1/payments").status_code == 200
        with superuser.session(autocommit=False) as cursor:
            cursor.execute("LOCK TABLE outbox")
            posted = pool.submit(shop.post_payment, key="one")
            superuser.wait_for_one_that_waits()
            proxy.reset()
            proxy.heal()
        assert_accepted_once(api, shop, posted.result())
        api.database.dispose()


def assert_accepted_once(api: Api, shop: Merchant, answer: api_client.Reply) -> None:
    """Accepted, told as new, hinted at; and told the same again."""
    assert answer.status_code == 202
    assert "Idempotent-Replayed" not in answer.headers
    assert api.told.queues == ["payments"]
    assert [row["id"] for row in rows(api.database, "SELECT id FROM payments")] == [answer.json["id"]]
    assert shop.post_payment(key="one").data == answer.data


# The transactions of a charge: claim, open the attempt, write the answer.
@pytest.mark.row(19)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", [1, 2, 3], ids=["claim", "attempt", "answer"])
def test_a_worker_whose_backend_dies_at_a_commit_charges_once_and_loses_nothing(
    database: Database, superuser: Superuser, number: int, after: bool
) -> None:
    payment_id = accept_one(database).payment.id
    gateway = ScriptedGateway("a")
    parts = pipeline(database, gateway)
    with cut_at_commit(superuser, database.engine, number, after=after) as commits:
        run(parts, "payments")
    assert len(commits) > number
    if (number, after) == (1, True):
        # Claimed by nobody who knows of it: as if a worker had died, the next one waits for the end of the lease.
        assert gateway.calls == []
        end_leases(database)
        run(parts, "payments")
    assert story_of(database, payment_id) == _CHARGED
    assert len(gateway.calls) == gateway.charges_of(payment_id) == 1
    assert [row["checks"] for row in attempts_of(database, payment_id)] == [0]


@pytest.mark.row(19)
def test_an_answer_whose_commit_was_not_heard_of_frees_its_payment_and_counts_as_written(
    database: Database, superuser: Superuser
) -> None:
    accept_one(database)
    parts = pipeline(database, ScriptedGateway("a"))
    with cut_at_commit(superuser, database.engine, 3, after=True):
        report = run(parts, "payments")
    assert (report.finished, report.lost) == (1, 0)


@pytest.mark.row(19)
def test_an_endpoint_whose_commit_was_not_heard_of_is_made_once_even_as_the_last_that_may_be(
    database: Database, superuser: Superuser
) -> None:
    settings = settings_with(webhook_allow_private=True)
    for number in range(MAX_ENDPOINTS - 1):
        create_endpoint(database, settings, Owner("m_1", "test"), f"http://shop.test/{number}", ())
    with cut_at_commit(superuser, database.engine, 1, after=True):
        made = create_endpoint(database, settings, Owner("m_1", "test"), "http://shop.test/last", ()).endpoint
    listed = list_endpoints(database, Owner("m_1", "test"))
    assert [endpoint.id for endpoint in listed if endpoint.url.endswith("/last")] == [made.id]
    assert len(listed) == MAX_ENDPOINTS


@pytest.mark.row(19)
def test_a_reconciliation_whose_commit_was_not_heard_of_is_written_down_once(
    database: Database, superuser: Superuser
) -> None:
    parts = pipeline(database, ScriptedGateway("a"))
    reconciliation = ReconcileParts(database, parts.gateways, NoHints(), verify_now=lambda: None)
    with cut_at_commit(superuser, database.engine, 1, after=True):
        found = reconcile(reconciliation, trigger="beat")
    assert [row["id"] for row in rows(database, "SELECT id FROM reconciliation_runs")] == [found.id]


@pytest.mark.slow
@pytest.mark.row(21)
def test_with_every_connection_taken_requests_are_told_to_come_back(database_url: str) -> None:
    api = start_api(database_url, pool_size=1)
    shop = api.merchant()
    assert shop.get("/v1/payments").status_code == 200
    with api.database.engine.connect(), ThreadPoolExecutor(8) as pool:
        clients = [Merchant(shop.merchant_id, shop.key, api.app.test_client()) for _ in range(8)]
        answers = list(pool.map(lambda client: client.post_payment(key="one"), clients))
    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {
        (503, "database_unavailable")
    }
    assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
    assert rows(api.database, "SELECT id FROM payments") == []
    assert shop.post_payment(key="one").status_code == 202
    api.database.dispose()


@pytest.mark.row(21)
def test_a_server_that_takes_no_more_connections_is_a_503(
    api: Api, shop: Merchant, superuser: Superuser
) -> None:
    api.database.dispose()
    superuser.do(f"ALTER DATABASE {superuser.database} CONNECTION LIMIT 0")
    try:
        refused = shop.post_payment(key="one")
    finally:
        superuser.do(f"ALTER DATABASE {superuser.database} CONNECTION LIMIT -1")
    assert (refused.status_code, refused.json["code"]) == (503, "database_unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert shop.post_payment(key="one").status_code == 202


@pytest.mark.row(21)
def test_a_worker_without_a_free_connection_calls_no_gateway_and_works_when_it_has_one(
    database: Database, database_url: str
) -> None:
    payment_id = accept_one(database).payment.id
    gateway = ScriptedGateway("a")
    small = Database(create_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=0.1))
    with small.engine.connect(), pytest.raises(DatabaseUnavailable):
        run(pipeline(small, gateway), "payments")
    assert gateway.calls == []
    run(pipeline(small, gateway), "payments")
    small.dispose()
    assert story_of(database, payment_id) == _CHARGED


@pytest.mark.row(21)
def test_an_answer_waits_for_a_connection(database: Database, database_url: str) -> None:
    payment_id = accept_one(database).payment.id
    small = Database(create_engine(database_url, pool_size=1, max_overflow=0, pool_timeout=0.1))
    held = []

    def take_the_connection(request: GatewayRequest) -> Outcome:
        held.append(small.engine.connect())
        threading.Timer(0.5, held[0].close).start()
        return gateway.charge(request)

    gateway = ScriptedGateway("a", take_the_connection)
    parts = pipeline(small, gateway, run_limit_s=0.2)
    run(parts, "payments")
    parts.tail.finish()
    small.dispose()
    assert story_of(database, payment_id) == _CHARGED
    assert len(gateway.calls) == 1


@pytest.mark.row(21)
def test_a_statement_that_takes_too_long_is_a_503_for_who_reads_and_who_pays(
    database_url: str, superuser: Superuser
) -> None:
    api = start_api(database_url, statement_timeout_s=0.2)
    shop = api.merchant()
    assert shop.get("/v1/payments").status_code == 200
    with superuser.session(autocommit=False) as cursor:
        cursor.execute("LOCK TABLE payments IN ACCESS EXCLUSIVE MODE")  # as a migration may
        answers = [shop.post_payment(key="one"), shop.get("/v1/payments")]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [
        (503, "database_unavailable")
    ] * 2
    assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
    assert "Idempotent-Replayed" not in shop.post_payment(key="one").headers
    api.database.dispose()


@pytest.mark.row(22)
def test_a_deadlock_is_written_again_and_the_gateway_is_not_called_again(
    database: Database, superuser: Superuser
) -> None:
    payment_id = accept_one(database).payment.id
    with ThreadPoolExecutor(1) as pool:
        locked = threading.Event()

        def cross() -> None:
            with superuser.session(autocommit=False) as cursor:
                cursor.execute("SELECT 1 FROM payments WHERE id = %s FOR UPDATE", (payment_id,))
                locked.set()
                superuser.wait_for_one_that_waits()  # who records has the job's row, and wants the payment's
                cursor.execute("UPDATE jobs SET updated_at = now() WHERE payment_id = %s", (payment_id,))

        def charge_amid_others(request: GatewayRequest) -> Outcome:
            crossing.append(pool.submit(cross))
            assert locked.wait(_BOUND_S)
            return gateway.charge(request)

        crossing: list[Any] = []
        gateway = ScriptedGateway("a", charge_amid_others)
        with errors_seen(database.engine) as seen:
            run(pipeline(database, gateway), "payments")
        crossing[0].result()
    assert "40P01" in seen
    assert story_of(database, payment_id) == _CHARGED
    assert len(gateway.calls) == gateway.charges_of(payment_id) == 1


@pytest.mark.row(22)
def test_a_serialization_failure_is_written_again_and_the_gateway_is_not_called_again(
    database: Database, database_url: str, superuser: Superuser
) -> None:
    payment_id = accept_one(database).payment.id
    strict = Database(create_engine(database_url, isolation_level="REPEATABLE READ"))
    with ThreadPoolExecutor(1) as pool:
        changed = threading.Event()

        def change() -> None:
            with superuser.session(autocommit=False) as cursor:
                cursor.execute("UPDATE payments SET updated_at = now() WHERE id = %s", (payment_id,))
                changed.set()
                superuser.wait_for_one_that_waits()

        def charge_amid_others(request: GatewayRequest) -> Outcome:
            changing.append(pool.submit(change))
            assert changed.wait(_BOUND_S)
            return gateway.charge(request)

        changing: list[Any] = []
        gateway = ScriptedGateway("a", charge_amid_others)
        with errors_seen(strict.engine) as seen:
            run(pipeline(strict, gateway), "payments")
        changing[0].result()
    strict.dispose()
    assert "40001" in seen
    assert story_of(database, payment_id) == _CHARGED
    assert len(gateway.calls) == gateway.charges_of(payment_id) == 1


@pytest.mark.slow
@pytest.mark.row(22)
def test_an_answer_waits_for_a_row_that_is_locked_for_longer_than_the_lock_timeout(
    database: Database, superuser: Superuser
) -> None:
    payment_id = accept_one(database).payment.id
    released = threading.Event()

    def hold() -> None:
        with superuser.session(autocommit=False) as cursor:
            cursor.execute("SELECT 1 FROM payments WHERE id = %s FOR UPDATE", (payment_id,))
            holding.set()
            released.wait(_BOUND_S)

    holding = threading.Event()
    holder = threading.Thread(target=hold)

    def charge_amid_others(request: GatewayRequest) -> Outcome:
        holder.start()
        assert holding.wait(_BOUND_S)
        return gateway.charge(request)

    gateway = ScriptedGateway("a", charge_amid_others)

    event.listen(database.engine, "handle_error", lambda context: released.set())
    with errors_seen(database.engine) as seen:
        run(pipeline(database, gateway), "payments")
    holder.join()
    assert "55P03" in seen
    assert story_of(database, payment_id) == _CHARGED
    assert len(gateway.calls) == 1


@pytest.mark.slow
@pytest.mark.row(22)
def test_a_change_that_the_database_refuses_harms_no_other_of_its_batch(
    database: Database, superuser: Superuser
) -> None:
    refused, fine = (accept_one(database, key).payment.id for key in ("k1", "k2"))
    gateway = ScriptedGateway("a")
    superuser.do(f"ALTER TABLE attempts ADD CONSTRAINT no_luck CHECK (payment_id <> '{refused}')")
    report = run(pipeline(database, gateway), "payments")
    assert (report.finished, report.lost) == (1, 1)
    assert story_of(database, fine) == _CHARGED
    assert gateway.charges_of(refused) == 0
    superuser.do("ALTER TABLE attempts DROP CONSTRAINT no_luck")
    end_leases(database)
    run_until_quiet(pipeline(database, gateway))
    assert story_of(database, refused) == _CHARGED


@pytest.mark.slow
@pytest.mark.row(23)
def test_a_read_only_database_is_a_503_at_intake_until_it_no_longer_is(
    api: Api, shop: Merchant, superuser: Superuser
) -> None:
    assert shop.post_payment().status_code == 202
    superuser.make_read_only()
    for _ in range(2):
        answer = shop.post_payment(key="one")
        assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
        assert (answer.headers["Retry-After"], answer.json["retryable"]) == ("1", True)
    assert len(rows(api.database, "SELECT id FROM payments")) == 1
    superuser.make_writable()
    assert shop.post_payment(key="one").status_code == 202


@pytest.mark.row(23)
def test_while_the_database_is_read_only_no_gateway_is_called(
    database: Database, superuser: Superuser
) -> None:
    payment_id = accept_one(database).payment.id
    gateway = ScriptedGateway("a")
    superuser.make_read_only()
    with pytest.raises(DatabaseUnavailable):
        run(pipeline(database, gateway), "payments")
    assert gateway.calls == []
    superuser.make_writable()
    run(pipeline(database, gateway), "payments")
    assert story_of(database, payment_id) == _CHARGED


@pytest.mark.row(23)
def test_an_answer_that_comes_while_the_database_is_read_only_is_kept_until_it_can_be_written(
    database: Database, superuser: Superuser
) -> None:
    payment_id = accept_one(database).payment.id

    def charge_during_the_failover(request: GatewayRequest) -> Outcome:
        superuser.make_read_only()
        return gateway.charge(request)

    gateway = ScriptedGateway("a", charge_during_the_failover)
    with errors_seen(database.engine) as seen:

        def heal(context: Any) -> None:
            if seen.count("25006") == 6:  # more often than one unit of work is tried
                superuser.make_writable()

        event.listen(database.engine, "handle_error", heal)
        run(pipeline(database, gateway), "payments")
    assert seen.count("25006") == 6
    assert story_of(database, payment_id) == _CHARGED
    assert len(gateway.calls) == 1


_TOKENS = (
    "tok_visa",
    "tok_latency_300",
    "tok_drop",
    "tok_hard_stolen_card",
    "tok_soft_try_again_at_sandbox_a",
)


class Shop:
    """Merchants' backends that post all the time, and again under the same key until they are told 202."""

    def __init__(self, running: Installation, posters: int) -> None:
        self.accepted: dict[str, str] = {}
        self.refused: list[Reply] = []
        self._running, self._closing = running, threading.Event()
        self._pool = ThreadPoolExecutor(posters)
        self._posting = [self._pool.submit(self._post_on, number) for number in range(posters)]

    def sells(self, more: int) -> None:
        """Return once so many more payments are accepted."""
        enough = len(self.accepted) + more
        wait_until(lambda: len(self.accepted) >= enough, SOON_S)

    def close(self) -> None:
        """Post nothing new; return once everything that was begun is accepted."""
        self._closing.set()
        for posting in self._posting:
            posting.result()
        self._pool.shutdown()

    def _post_on(self, poster: int) -> None:
        for number in count():
            if self._closing.wait(0.02):
                return
            key = f"{poster}-{number}-{uuid.uuid4().hex}"
            wait_until(partial(self._is_accepted, key, _TOKENS[number % len(_TOKENS)]), SOON_S)

    def _is_accepted(self, key: str, token: str) -> bool:
        reply = self._running.post(card(token), key=key)
        if reply.status == 202:
            self.accepted[key] = reply.body["id"]
            return True
        self.refused.append(reply)
        return False


@pytest.mark.row(18)
@pytest.mark.slow
def test_postgresql_restarted_under_load_loses_no_payment_and_no_process(
    running: Installation, postgres_to_stop: EmbeddedPostgres
) -> None:
    books, shop = Books(running), Shop(running, posters=4)
    shop.sells(100)  # pools are filled by use
    shop.close()
    books.all_ended()
    baseline, books, shop = Baseline.of(running), Books(running), Shop(running, posters=4)
    programs = {child.pid for child in psutil.Process(running.process.pid).children()}
    logs = ProcessLogs(running.data_dir / "logs")
    for how in (signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT):  # immediate, fast, immediate
        shop.sells(20)
        postgres_to_stop.stop(how)
        postgres_to_stop.start()
    shop.sells(20)
    shop.close()
    assert {(reply.status, reply.body["code"]) for reply in shop.refused} <= {(503, "database_unavailable")}
    assert {reply.headers["Retry-After"] for reply in shop.refused} <= {"1"}
    assert len(set(shop.accepted.values())) == len(shop.accepted)
    books.all_ended()
    assert set(books.payment_ids()) == set(shop.accepted.values())
    books.agree()
    baseline.reached_again()
    assert {child.pid for child in psutil.Process(running.process.pid).children()} == programs
    assert logs.tracebacks() == []
