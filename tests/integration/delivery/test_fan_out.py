"""From the outbox into webhook deliveries: once, in order, for the endpoints that want the event, stream or no stream."""

from __future__ import annotations

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.outbox_events import STORY, a_payment, an_event, claim_and_fan_out, in_stream, make_due
from support.payments import rows

from aegis_worker import ids
from aegis_worker.delivery.drain import drain
from aegis_worker.delivery.stream import EventStream
from aegis_worker.delivery.webhooks.fan_out import WebhookFanOut
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.transitions import EventType
from aegis_worker.persistence import endpoint_rows


@pytest.fixture
def stream(redis_url):
    with Redis.from_url(redis_url) as redis:
        yield EventStream(redis, maxlen=1000)


@pytest.fixture
def dead_stream():
    with Redis(port=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)) as redis:
        yield EventStream(redis, maxlen=1000)


def an_endpoint(database, merchant_id="m_1", event_types=(), mode="test"):
    endpoint_id = ids.new_id(ids.ENDPOINT)
    database.run(
        lambda connection: endpoint_rows.insert(
            connection,
            id=endpoint_id,
            owner=Owner(merchant_id, mode),
            url="https://merchant.example/hooks",
            event_types=event_types,
            most=16,
        )
    )
    return endpoint_id


def drained(database, stream, limit=100):
    return drain(database, [WebhookFanOut(), stream], limit=limit, lease_s=30)


def fanned_out(database):
    found = rows(database, "SELECT * FROM webhook_deliveries ORDER BY payment_id, endpoint_id, seq")
    return [(row["payment_id"], row["endpoint_id"], row["seq"]) for row in found]


def test_every_event_goes_to_every_endpoint_of_its_merchant(database, stream):
    first, second, others = an_endpoint(database), an_endpoint(database), an_endpoint(database, "m_2")
    mine, theirs = a_payment(database), a_payment(database, merchant_id="m_2")
    assert drained(database, stream).fanned_out == 9
    assert fanned_out(database) == [
        *((mine, endpoint_id, seq) for endpoint_id in (first, second) for seq in (1, 2, 3)),
        *((theirs, others, seq) for seq in (1, 2, 3)),
    ]


def test_an_endpoint_hears_of_payments_of_its_own_mode_alone(database, stream):
    for_test, for_live = an_endpoint(database), an_endpoint(database, mode="live")
    tested, charged = a_payment(database), a_payment(database, mode="live")
    assert drained(database, stream).fanned_out == 6
    assert fanned_out(database) == sorted(
        (payment_id, endpoint_id, seq)
        for payment_id, endpoint_id in ((tested, for_test), (charged, for_live))
        for seq in (1, 2, 3)
    )


def test_an_endpoint_gets_the_types_it_wants_and_a_disabled_one_nothing(database, stream):
    wanting = an_endpoint(database, event_types=[EventType.SUCCEEDED, EventType.FAILED])
    disabled = an_endpoint(database)
    database.run(lambda connection: endpoint_rows.disable(connection, [disabled]))
    payment_id = a_payment(database)
    drained(database, stream)
    assert fanned_out(database) == [(payment_id, wanting, 3)]


def test_a_delivery_is_pending_and_carries_no_copy_of_the_event(database, stream):
    an_endpoint(database)
    a_payment(database, events=STORY[:1])
    drained(database, stream)
    [row] = rows(database, "SELECT * FROM webhook_deliveries")
    assert row["id"].startswith("whd_")
    assert (row["status"], row["tries"], row["log"], row["merchant_id"]) == ("pending", 0, [], "m_1")


def test_webhooks_go_out_once_although_the_stream_fails_again_and_again(
    database, stream, dead_stream, redis_url
):
    endpoint_id = an_endpoint(database)
    payment_id = a_payment(database)
    for _ in range(3):
        drained(database, dead_stream)
        make_due(database, "outbox")
    assert fanned_out(database) == [(payment_id, endpoint_id, seq) for seq in (1, 2, 3)]
    report = drained(database, stream)
    assert (report.delivered, report.fanned_out) == (3, 0)
    assert len(fanned_out(database)) == len(in_stream(redis_url)) == 3


def test_an_event_that_waits_for_the_stream_behind_another_is_fanned_out_all_the_same(
    database, dead_stream, redis_url
):
    endpoint_id = an_endpoint(database)
    payment_id = a_payment(database, events=STORY[:1])
    drained(database, dead_stream)
    an_event(database, payment_id, 2)
    report = drained(database, dead_stream)
    assert (report.claimed, report.fanned_out) == (0, 1)
    assert fanned_out(database) == [(payment_id, endpoint_id, 1), (payment_id, endpoint_id, 2)]


def test_an_event_is_not_fanned_out_before_an_earlier_one(database):
    an_endpoint(database)
    payment_id = a_payment(database)
    with database.engine.begin() as other:
        claim_and_fan_out(other, limit=1, lease_s=30)
        database.run(lambda connection: claim_and_fan_out(connection, limit=100, lease_s=30))
        assert fanned_out(database) == []
    assert [seq for _, _, seq in fanned_out(database)] == [1]
    make_due(database, "outbox")
    database.run(lambda connection: claim_and_fan_out(connection, limit=100, lease_s=30))
    assert [(place, seq) for place, _, seq in fanned_out(database)] == [
        (payment_id, seq) for seq in (1, 2, 3)
    ]


def test_an_endpoint_made_later_gets_what_is_not_fanned_out_yet(database, stream):
    early = an_endpoint(database)
    payment_id = a_payment(database, events=STORY[:2])
    drained(database, stream)
    late = an_endpoint(database)
    an_event(database, payment_id, 3)
    drained(database, stream)
    assert set(fanned_out(database)) == {
        *((payment_id, early, seq) for seq in (1, 2, 3)),
        (payment_id, late, 3),
    }
