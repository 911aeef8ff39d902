"""Delivery while a drainer is frozen past its lease and while endpoints misbehave: once per event id, in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis
from support.merchant_server import Sink, a_sink, answers
from support.outbox_events import (
    STORY,
    a_payment,
    an_event,
    claim_and_fan_out,
    event_ids,
    execute,
    first_seqs,
    in_stream,
    make_due,
    settings_with,
)
from support.payments import rows

from aegis_worker.delivery.drain import DrainReport, drain
from aegis_worker.delivery.stream import EventStream
from aegis_worker.delivery.webhooks.deliver import DeliveryReport, deliver_due
from aegis_worker.delivery.webhooks.endpoints import create_endpoint, redeliver
from aegis_worker.delivery.webhooks.fan_out import WebhookFanOut
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.domain.modes import Owner
from aegis_worker.persistence import outbox_rows
from aegis_worker.persistence.database import Database

_LEASE_S, _BOUND_S = 60.0, 20.0
SETTINGS = settings_with(webhook_allow_private=True, webhook_max_tries=2)


class Freezer:
    """Stops the first that comes by, until it is thawed; as SIGSTOP would at that point."""

    def __init__(self) -> None:
        self.frozen, self._thawed = threading.Event(), threading.Event()

    def pass_by(self) -> None:
        if not self.frozen.is_set():
            self.frozen.set()
            assert self._thawed.wait(_BOUND_S)

    def thaw(self) -> None:
        self._thawed.set()


class FreezingStream(EventStream):
    """A stream whose first writer freezes before it tells, or after it told."""

    def __init__(self, redis: Redis, freezer: Freezer, *, after_telling: bool) -> None:
        super().__init__(redis, maxlen=100_000)
        self._freezer, self._after_telling = freezer, after_telling

    def tell(self, events: Any) -> None:
        if self._after_telling:
            super().tell(events)
        self._freezer.pass_by()
        if not self._after_telling:
            super().tell(events)


class FreezingSender(HttpSender):
    """A sender whose first post freezes before its first byte, or after its answer."""

    def __init__(self, freezer: Freezer, *, after_posting: bool) -> None:
        super().__init__(timeout_s=10, allow_private=True)
        self._freezer, self._after_posting = freezer, after_posting

    def begin(self, url: str, headers: Any, body: bytes, told: Callable[[Any], None]) -> None:
        def tell(answer: Any) -> None:
            self._freezer.pass_by()
            told(answer)

        # Freezes a thread of its own, because the sender that goes on meanwhile has the same engine.
        def tell_apart(answer: Any) -> None:
            threading.Thread(target=tell, args=(answer,)).start()

        def begin_late() -> None:
            self._freezer.pass_by()
            super(FreezingSender, self).begin(url, headers, body, told)

        if self._after_posting:
            super().begin(url, headers, body, tell_apart)
        else:
            threading.Thread(target=begin_late).start()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def sink() -> Iterator[Sink]:
    with a_sink() as running:
        yield running


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[Any]]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


def drained(database: Database, stream: EventStream) -> DrainReport:
    return drain(database, [WebhookFanOut(), stream], limit=100, lease_s=_LEASE_S)


def delivered(database: Database, sender: HttpSender, limit: int = 64) -> DeliveryReport:
    return deliver_due(database, sender, SETTINGS, limit=limit, lease_s=_LEASE_S)


def fan_out(database: Database) -> None:
    def claim(connection: Any) -> Any:
        return claim_and_fan_out(connection, limit=500, lease_s=_LEASE_S)

    while database.run(claim).moved:
        pass


def let_time_pass(database: Database) -> None:
    """Leases, backoffs and rests are over."""
    make_due(database, "webhook_deliveries")
    execute(database, "UPDATE webhook_endpoints SET resting_until = NULL")


def told(redis_url: str) -> list[dict[str, Any]]:
    return [json.loads(entry["payload"]) for entry in in_stream(redis_url)]


@pytest.mark.row(55)
@pytest.mark.parametrize("after_telling", [False, True], ids=["before-telling", "after-telling"])
@pytest.mark.parametrize("thawed", ["before-the-other-tells", "after-the-other-told", "after-more-was-told"])
def test_a_drainer_frozen_past_its_lease_changes_no_order_and_takes_out_nothing(
    database: Database,
    redis: Redis,
    redis_url: str,
    in_background: Callable[..., Future[Any]],
    after_telling: bool,
    thawed: str,
) -> None:
    payments = [a_payment(database) for _ in range(3)]
    freezer = Freezer()
    zombie = in_background(drained, database, FreezingStream(redis, freezer, after_telling=after_telling))
    assert freezer.frozen.wait(_BOUND_S)
    make_due(database, "outbox")
    if thawed == "before-the-other-tells":
        # The other has claimed and not told yet: what the zombie takes out must not be what the other holds.
        held = database.run(lambda tx: outbox_rows.claim(tx, limit=100, lease_s=_LEASE_S)).events
        freezer.thaw()
        assert (zombie.result().delivered, len(held)) == (0, 9)
        assert len(rows(database, "SELECT 1 FROM outbox WHERE leased")) == 9
        make_due(database, "outbox")
    assert drained(database, EventStream(redis, maxlen=100_000)).delivered == 9
    if thawed == "after-more-was-told":
        for payment_id in payments:
            an_event(database, payment_id, 4)
        assert drained(database, EventStream(redis, maxlen=100_000)).delivered == 3
    freezer.thaw()
    assert zombie.result().delivered == 0
    last = 4 if thawed == "after-more-was-told" else 3
    assert first_seqs(told(redis_url)) == {payment_id: list(range(1, last + 1)) for payment_id in payments}
    assert rows(database, "SELECT 1 FROM outbox") == []


@pytest.mark.row(55)
@pytest.mark.parametrize("after_posting", [False, True], ids=["before-posting", "after-posting"])
def test_a_poster_frozen_past_its_lease_changes_no_order_and_settles_nothing(
    database: Database, sink: Sink, in_background: Callable[..., Future[Any]], after_posting: bool
) -> None:
    create_endpoint(database, SETTINGS, Owner("m_1", "test"), sink.url(), ())
    payment_id = a_payment(database)
    fan_out(database)
    freezer = Freezer()
    frozen = FreezingSender(freezer, after_posting=after_posting)
    if after_posting:
        sink.scripts["/hooks"] = [answers(500)]  # would be written over a delivery that has arrived since
    # With three of four in hand it claims nothing more: stopped, it is stopped whole.
    zombie = in_background(delivered, database, frozen, 4)
    assert freezer.frozen.wait(_BOUND_S)
    let_time_pass(database)
    sender = HttpSender(timeout_s=10, allow_private=True)
    assert delivered(database, sender).delivered == 3
    an_event(database, payment_id, 4)
    fan_out(database)
    assert delivered(database, sender).delivered == 1
    freezer.thaw()
    zombie.result()
    for open_sender in (frozen, sender):
        open_sender.close()
    assert first_seqs([request.json for request in sink.received]) == {payment_id: [1, 2, 3, 4]}
    settled = rows(database, "SELECT seq, status, tries FROM webhook_deliveries ORDER BY seq")
    assert settled == [{"seq": seq, "status": "delivered", "tries": 1} for seq in (1, 2, 3, 4)]


@pytest.mark.slow
@pytest.mark.row(56)
def test_endpoints_that_fail_hang_or_redirect_hold_up_no_other_and_get_everything_in_the_end(
    database: Database, sink: Sink
) -> None:
    bad = {
        "/fails": (answers(500, b"no room"), "HTTP 500: no room"),
        "/hangs": (sink.hangs, "timed out"),
        "/drips": (sink.drips, "timed out"),
        "/moved": (answers(307, Location=sink.url("/elsewhere")), "HTTP 307: redirects are not followed"),
    }
    for path, (script, _) in bad.items():
        sink.otherwise[path] = script
        create_endpoint(database, SETTINGS, Owner("m_1", "test"), sink.url(path), ())
    create_endpoint(database, SETTINGS, Owner("m_1", "test"), sink.url("/good"), ())
    payments = [a_payment(database, events=STORY[:2]) for _ in range(2)]
    fan_out(database)
    hasty = HttpSender(timeout_s=0.25, allow_private=True)

    delivered(database, hasty)
    in_order = {payment_id: [1, 2] for payment_id in payments}
    assert first_seqs([request.json for request in sink.at("/good")]) == in_order
    assert len(sink.at("/good")) == 4

    def undecided() -> list[dict[str, Any]]:
        return rows(database, "SELECT 1 FROM webhook_deliveries WHERE status = 'pending'")

    for _ in range(40):  # two tries each; one that hangs gets a single post in a run
        if not undecided():
            break
        let_time_pass(database)
        delivered(database, hasty)
    assert undecided() == []
    dead = rows(
        database,
        "SELECT w.url, d.tries, d.log -> -1 ->> 'error' AS error, count(*) AS deliveries FROM webhook_deliveries d"
        " JOIN webhook_endpoints w ON w.id = d.endpoint_id WHERE d.status = 'dead' GROUP BY 1, 2, 3",
    )
    assert {row["url"]: (row["error"], row["tries"], row["deliveries"]) for row in dead} == {
        sink.url(path): (error, 2, 4) for path, (_, error) in bad.items()
    }
    assert len(sink.at("/good")) == 4
    assert sink.at("/elsewhere") == []

    sink.otherwise.clear()
    sink.received.clear()
    for payment_id in payments:
        for event_id in event_ids(payment_id, 1, 2):
            assert redeliver(database, Owner("m_1", "test"), event_id) == 5
    assert delivered(database, hasty).delivered == 20
    hasty.close()
    for path in (*bad, "/good"):
        assert first_seqs([request.json for request in sink.at(path)]) == in_order
