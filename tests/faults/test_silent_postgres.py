"""PostgreSQL, or something in front of it, takes what it is sent and says nothing: waits end, nothing is paid twice."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, TypeVar

import psycopg2
import pytest
from sqlalchemy import event
from sqlalchemy.engine import make_url
from support.api_client import Api, Merchant, body_of, start_api
from support.installation import AEGIS, SOON_S, Installation, wait_until
from support.outbox_events import settings_with
from support.own_worker import own_worker
from support.payments import accept_one, attempts_of, end_leases, pipeline, rows, run_until_quiet, story_of
from support.process_logs import ProcessLogs
from support.scripted_gateway import ScriptedGateway
from support.tcp_proxy import TcpProxy

from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.lab.embedded.postgres import EmbeddedPostgres
from aegis_worker.lab.embedded.stack import Stores
from aegis_worker.persistence import at_work, migrate
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run

pytestmark = pytest.mark.row(69)

_STATEMENT_S = 0.5
# A bound far away: what waits without one waits for a quarter of an hour (TCP) or for ever.
_COMES_BACK_S = 30.0
# What psycopg2 begins a query with; everything before it is about who we are.
_QUERY = b"Q"
T = TypeVar("T")
_CHARGED = ["INITIATED", "PROCESSING", "SUCCEEDED"]


@pytest.fixture
def proxy(stores: Stores) -> Iterator[TcpProxy]:
    """In front of the tests' PostgreSQL."""
    with TcpProxy(stores.postgres.port) as proxy:
        yield proxy


@pytest.fixture
def api(proxy: TcpProxy, database_url: str) -> Iterator[Api]:
    """The API, whose connections go through the proxy."""
    api = start_api(proxy.in_front_of(database_url), statement_timeout_s=_STATEMENT_S)
    yield api
    api.database.dispose()


@pytest.fixture
def shop(api: Api) -> Merchant:
    shop = api.merchant()
    assert shop.get("/v1/payments").status_code == 200  # there is a connection, and it works
    return shop


@pytest.fixture
def through(proxy: TcpProxy, database_url: str) -> Iterator[Database]:
    """A worker's database, whose connections go through the proxy."""
    settings = settings_with(
        database_url=proxy.in_front_of(database_url), statement_timeout_s=_STATEMENT_S, pool_size=12
    )
    database = Database.connect(settings, application="test")
    yield database
    database.dispose()


@pytest.fixture
def heal(stores: Stores, proxy: TcpProxy, database_url: str) -> Callable[[], None]:
    """Forward again. What PostgreSQL still keeps open for those who were cut off ends, as it does by its own timeouts."""
    url = make_url(stores.postgres.url).set(drivername="postgresql", username="postgres")
    ends = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'aegis-test'"
    )

    def heal() -> None:
        proxy.heal()
        connection = psycopg2.connect(url.render_as_string(hide_password=False))
        connection.autocommit = True
        connection.cursor().execute(ends)
        connection.close()

    return heal


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns; fails when it doesn't come back, which it may never do."""
    done: list[T] = []
    thread = threading.Thread(target=lambda: done.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), f"did not come back within {seconds:g} s"
    assert done, "failed; see its traceback"
    return done[0]


@pytest.mark.parametrize("answers_only", [False, True], ids=["the request", "the answer"])
def test_a_request_that_postgresql_does_not_answer_is_a_503_and_the_next_is_accepted_once(
    api: Api, shop: Merchant, proxy: TcpProxy, heal: Callable[[], None], answers_only: bool
) -> None:
    proxy.blackhole(answers_only=answers_only)
    answer = within(_COMES_BACK_S, lambda: shop.post_payment(key="one"))
    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"] == "1"
    heal()
    accepted = shop.post_payment(key="one")
    assert accepted.status_code == 202
    found = rows(api.database, "SELECT id FROM payments")
    assert [row["id"] for row in found] == [accepted.json["id"]]


@pytest.mark.slow
def test_every_thread_of_the_api_comes_back_and_none_of_the_old_connections_is_used_again(
    api: Api, shop: Merchant, proxy: TcpProxy, heal: Callable[[], None]
) -> None:
    clients = [Merchant(shop.merchant_id, shop.key, api.app.test_client()) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert {one.status_code for one in pool.map(lambda client: client.get("/v1/payments"), clients)} == {
            200
        }
        proxy.blackhole()
        answers = within(
            _COMES_BACK_S, lambda: list(pool.map(lambda client: client.get("/v1/payments"), clients))
        )
        assert {answer.status_code for answer in answers} == {503}
        heal()
        assert {one.status_code for one in pool.map(lambda client: client.get("/v1/payments"), clients)} == {
            200
        }


@pytest.mark.parametrize(
    "from_prefix",
    [
        pytest.param(b"", id="nothing is answered", marks=pytest.mark.slow),
        pytest.param(_QUERY, id="queries are not answered"),
    ],
)
def test_readiness_is_refused_in_time_while_postgresql_is_silent(
    api: Api, shop: Merchant, proxy: TcpProxy, from_prefix: bytes
) -> None:
    proxy.blackhole(from_prefix=from_prefix)
    for _ in range(2):  # over a connection that was there, and over none
        answer = within(_COMES_BACK_S, lambda: shop.client.get("/readyz"))
        assert (answer.status_code, body_of(answer)["checks"]["database"]) == (503, "unreachable")
    proxy.heal()
    assert shop.client.get("/readyz").status_code == 200


@contextmanager
def silent_at_commit(database: Database, number: int, silence: Callable[[], None]) -> Iterator[None]:
    """Silence from the `number`-th transaction that commits."""
    commits: list[int] = []

    def count(connection: Any) -> None:
        commits.append(1)
        if len(commits) == number:
            silence()

    event.listen(database.engine, "commit", count)
    try:
        yield
    finally:
        event.remove(database.engine, "commit", count)


# The transactions of a charge: claim, open the attempt, write the answer.
@pytest.mark.parametrize(
    "answers_only",
    [
        pytest.param(False, id="the COMMIT is lost", marks=pytest.mark.slow),
        pytest.param(True, id="its answer is lost"),
    ],
)
@pytest.mark.parametrize("number", [1, 2, 3], ids=["claim", "attempt", "answer"])
def test_a_worker_that_hears_nothing_of_its_commit_charges_once_and_loses_nothing(
    database: Database,
    through: Database,
    proxy: TcpProxy,
    heal: Callable[[], None],
    number: int,
    answers_only: bool,
) -> None:
    payment_id = accept_one(database).payment.id
    gateway = ScriptedGateway("a")
    parts = pipeline(through, gateway)
    silence_seen = threading.Event()

    def healed_after_the_first(context: Any) -> None:
        if not silence_seen.is_set():
            silence_seen.set()
            heal()

    event.listen(through.engine, "handle_error", healed_after_the_first)

    def work() -> bool:
        with silent_at_commit(through, number, lambda: proxy.blackhole(answers_only=answers_only)):
            try:
                run(parts, "payments")
            except DatabaseUnavailable:
                assert number == 1
                assert gateway.calls == []
        return True

    assert within(_COMES_BACK_S, work)
    assert silence_seen.is_set()
    end_leases(database)
    run_until_quiet(parts)
    assert story_of(database, payment_id) == _CHARGED
    assert len(gateway.calls) == gateway.charges_of(payment_id) == 1
    assert [row["checks"] for row in attempts_of(database, payment_id)] == [0]


@pytest.mark.slow
def test_a_worker_whose_claim_is_not_answered_comes_back_and_works_after_it(
    database: Database, through: Database, proxy: TcpProxy, heal: Callable[[], None]
) -> None:
    gateway = ScriptedGateway("a")
    parts = pipeline(through, gateway)
    run(parts, "payments")
    payment_id = accept_one(database).payment.id
    proxy.blackhole()

    def refused() -> bool:
        with pytest.raises(DatabaseUnavailable, match="no answer within"):
            run(parts, "payments")
        return True

    assert within(_COMES_BACK_S, refused)
    heal()
    run_until_quiet(parts)
    assert story_of(database, payment_id) == _CHARGED


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("doctor",), marks=pytest.mark.slow),
        ("status", "pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5"),
        pytest.param(("relay", "--once"), marks=pytest.mark.slow),  # each of its steps waits by itself
        ("migrate",),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize(
    "from_prefix",
    [pytest.param(b"", id="connecting", marks=pytest.mark.slow), pytest.param(_QUERY, id="asking")],
)
@pytest.mark.slow
def test_a_command_says_that_postgresql_does_not_answer_and_ends(
    running: Installation,
    postgres: EmbeddedPostgres,
    command: tuple[str, ...],
    from_prefix: bytes,
) -> None:
    with TcpProxy(postgres.port) as proxy:
        proxy.blackhole(from_prefix=from_prefix)
        url = proxy.in_front_of(postgres.url)
        env = {**os.environ, **running.settings, "DATABASE_URL": url, "AEGIS_STATEMENT_TIMEOUT_S": "1"}
        ran = subprocess.run([AEGIS, *command], env=env, capture_output=True, text=True, timeout=SOON_S)
    assert ran.returncode == (1 if command == ("doctor",) else 3), ran.stderr
    said = ran.stdout + ran.stderr
    assert "timeout expired" in said or "no answer within" in said
    assert "Traceback" not in said


@contextmanager
def migrating_elsewhere(database_url: str) -> Iterator[Any]:
    """A while in which another one migrates; a cursor of it."""
    plain = make_url(database_url).set(drivername="postgresql")
    with closing(psycopg2.connect(plain.render_as_string(hide_password=False))) as other:
        other.autocommit = True
        cursor = other.cursor()
        cursor.execute("SELECT pg_advisory_lock(%s)", (migrate._LOCK,))
        yield cursor


def waits_for_the_other(cursor: Any) -> bool:
    cursor.execute(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'aegis-migrate' AND wait_event_type = 'Lock'"
    )
    return cursor.fetchone() is not None


@pytest.mark.slow
def test_a_migration_that_another_one_makes_wait_is_not_taken_for_silence(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work, "_ASK_EVERY_S", 0.2)
    with ThreadPoolExecutor(1) as pool:
        with migrating_elsewhere(database_url):
            waiting = pool.submit(migrate.upgrade, database_url)
            with pytest.raises(TimeoutError):
                waiting.result(4)
        waiting.result(_COMES_BACK_S)


@pytest.mark.slow
def test_a_migration_whose_answer_does_not_come_ends(
    proxy: TcpProxy, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(at_work, "_ASK_EVERY_S", 0.2)
    with ThreadPoolExecutor(1) as pool:
        with migrating_elsewhere(database_url) as cursor:
            waiting = pool.submit(migrate.upgrade, proxy.in_front_of(database_url))
            wait_until(lambda: waits_for_the_other(cursor), SOON_S)
            proxy.blackhole(answers_only=True)
        with pytest.raises(DatabaseUnavailable, match="no answer within"):
            waiting.result(_COMES_BACK_S)


@pytest.mark.slow
def test_workers_go_on_once_postgresql_answers_again(
    running: Installation, postgres: EmbeddedPostgres
) -> None:
    with (
        TcpProxy(postgres.port) as proxy,
        own_worker(
            running, DATABASE_URL=proxy.in_front_of(postgres.url), AEGIS_STATEMENT_TIMEOUT_S="1"
        ) as worker,
    ):
        logs = ProcessLogs(running.data_dir / "logs")
        ended = [running.accepted("tok_visa") for _ in range(5)]
        ended += [running.accepted("tok_latency_1800") for _ in range(5)]
        wait_until(lambda: running.attempts(ended[-1]), SOON_S)
        proxy.blackhole()
        ended += [running.accepted("tok_visa") for _ in range(5)]
        wait_until(lambda: [line for line in logs.lines("own-worker") if "no answer within" in line], SOON_S)
        proxy.heal()
        assert {running.ended(payment_id)["state"] for payment_id in ended} == {"SUCCESS"}
        assert worker.process.poll() is None
