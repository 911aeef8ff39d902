"""Endpoints that hold connections, however many one merchant has, hold up nobody else's events."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.merchant_server import Sink, a_sink
from support.outbox_events import STORY, a_payment, claim_and_fan_out, event_ids, execute, settings_with
from support.payments import rows

from aegis_worker import ids
from aegis_worker.delivery.webhooks.afterwards import Afterwards
from aegis_worker.delivery.webhooks.deliver import DeliveryReport, deliver_due
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.persistence.database import Database

LEASE_S = 60.0
SETTINGS = settings_with(webhook_allow_private=True)
_ENDPOINTS = """
INSERT INTO webhook_endpoints (id, merchant_id, url, event_types)
SELECT id, %(merchant_id)s, %(url)s || n, '{}' FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS e(id, n)
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with a_sink() as running:
        yield running


@pytest.fixture
def sender() -> Iterator[HttpSender]:
    sender = HttpSender(timeout_s=30, allow_private=True)
    yield sender
    sender.close()


@pytest.fixture
def afterwards(sink: Sink) -> Iterator[Afterwards]:
    left = Afterwards()
    yield left
    sink.released.set()
    left.finish()


def endpoints(database: Database, merchant_id: str, url: str, count: int) -> None:
    """Endpoints at `url`1, `url`2 and so on, more of them than the API lets one merchant have."""
    made = [ids.new_id(ids.ENDPOINT) for _ in range(count)]
    execute(database, _ENDPOINTS, merchant_id=merchant_id, url=url, ids=made)


def told(database: Database, merchant_id: str, count: int = 1) -> list[str]:
    """Payments with one event each, on its way to every endpoint of the merchant."""
    payments = [a_payment(database, merchant_id=merchant_id, events=STORY[:1]) for _ in range(count)]
    while database.run(lambda tx: claim_and_fan_out(tx, limit=500, lease_s=LEASE_S)).moved:
        pass
    return payments


def hanging(sink: Sink, how: str, paths: list[str]) -> None:
    for path in paths:
        sink.otherwise[path] = getattr(sink, how)


def deliver(database: Database, sender: HttpSender, **changes: Any) -> DeliveryReport:
    return deliver_due(database, sender, SETTINGS, lease_s=LEASE_S, **{"limit": 1024, **changes})


def in_a_thread(database: Database, sender: HttpSender) -> threading.Thread:
    thread = threading.Thread(target=deliver, args=(database, sender))
    thread.start()
    return thread


def arrived(sink: Sink, path: str, *event_ids: str) -> None:
    """Until these events were posted there."""
    with sink.asked:
        wanted = set(event_ids)
        assert sink.asked.wait_for(
            lambda: wanted <= {request.headers["webhook-id"] for request in sink.at(path)}, timeout=25
        )


@pytest.mark.parametrize("how", ["hangs", "drips"])
def test_fifty_endpoints_of_one_merchant_that_hold_their_connections_hold_up_no_other_merchant(
    database: Database, sink: Sink, sender: HttpSender, how: str
) -> None:
    hanging(sink, how, [f"/bad{number}" for number in range(1, 51)])
    endpoints(database, "m_bad", sink.url("/bad"), 50)
    endpoints(database, "m_good", sink.url("/good"), 1)
    told(database, "m_bad", count=3)
    run = in_a_thread(database, sender)
    sink.wait_for(16)
    for _ in range(3):
        (payment_id,) = told(database, "m_good")
        arrived(sink, "/good1", *event_ids(payment_id, 1))
    # Nothing that hangs is over by now.
    assert rows(database, "SELECT 1 FROM webhook_deliveries WHERE merchant_id = 'm_bad' AND tries > 0") == []
    sink.released.set()
    run.join()


def test_long_backlogs_of_endpoints_that_hang_leave_room_in_every_claim(
    database: Database, sink: Sink, sender: HttpSender
) -> None:
    for number in range(1, 7):
        hanging(sink, "hangs", [f"/bad-{number}-{each}" for each in range(1, 11)])
        endpoints(database, f"m_bad{number}", sink.url(f"/bad-{number}-"), 10)
        told(database, f"m_bad{number}", count=30)
    endpoints(database, "m_good", sink.url("/good"), 1)
    run = in_a_thread(database, sender)
    sink.wait_for(6 * 10)
    payments = told(database, "m_good", count=20)
    arrived(sink, "/good1", *(event_id for payment_id in payments for event_id in event_ids(payment_id, 1)))
    assert len({request.path for request in sink.received}) == 6 * 10 + 1
    sink.released.set()
    run.join()


def test_a_merchants_own_endpoint_that_answers_is_not_starved_by_those_that_hang(
    database: Database, sink: Sink, sender: HttpSender
) -> None:
    hanging(sink, "hangs", [f"/bad{number}" for number in range(1, 16)])
    endpoints(database, "m_1", sink.url("/bad"), 15)
    endpoints(database, "m_1", sink.url("/good"), 1)
    payments = told(database, "m_1", count=20)
    run = in_a_thread(database, sender)
    arrived(sink, "/good1", *(event_id for payment_id in payments for event_id in event_ids(payment_id, 1)))
    sink.released.set()
    run.join()


def test_a_run_that_has_had_its_time_waits_for_no_endpoint_and_the_next_one_leaves_it_alone(
    database: Database, sink: Sink, sender: HttpSender, afterwards: Afterwards
) -> None:
    hanging(sink, "hangs", ["/bad1"])
    endpoints(database, "m_bad", sink.url("/bad"), 1)
    endpoints(database, "m_good", sink.url("/good"), 1)
    told(database, "m_bad", count=5)
    report = deliver(database, sender, budget_s=0.5, leave=afterwards.leave)
    assert (len(sink.at("/bad1")), report.delivered) == (1, 0)
    (payment_id,) = told(database, "m_good")
    assert deliver(database, sender, leave=afterwards.leave).delivered == 1
    assert [request.headers["webhook-id"] for request in sink.at("/good1")] == event_ids(payment_id, 1)
    assert len(sink.at("/bad1")) == 1
    sink.released.set()
    afterwards.finish()
    logged = "SELECT jsonb_array_length(log) AS tries FROM webhook_deliveries WHERE merchant_id = 'm_bad' ORDER BY 1"
    assert [row["tries"] for row in rows(database, logged)] == [0, 0, 0, 0, 1]
