"""The drain on real PostgreSQL and Valkey: at least once, in order per payment, whatever dies in between."""

from __future__ import annotations

import json
import random
import threading

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.outbox_events import (
    STORY,
    a_payment,
    an_event,
    event_ids,
    execute,
    first_seqs,
    in_stream,
    make_due,
)
from support.payments import rows

from aegis_worker.delivery.drain import drain
from aegis_worker.delivery.stream import STREAM, EventStream
from aegis_worker.persistence import outbox_rows

LEASE_S = 30.0


@pytest.fixture
def stream(redis_url):
    with Redis.from_url(redis_url) as redis:
        yield EventStream(redis, maxlen=100_000)


@pytest.fixture
def dead_stream():
    """A stream whose Redis isn't there: nothing listens on this port."""
    with Redis(port=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)) as redis:
        yield EventStream(redis, maxlen=100_000)


def drained(database, stream, limit=100):
    return drain(database, [stream], limit=limit, lease_s=LEASE_S)


def claimed(database, limit=100):
    return database.run(lambda connection: outbox_rows.claim(connection, limit=limit, lease_s=LEASE_S))


def removed(database, claim):
    return database.run(lambda connection: outbox_rows.remove(connection, claim.events)).removed


def places(claim):
    return [(row.event.payment_id, row.event.seq) for row in claim.events]


def told(redis_url):
    return [json.loads(entry["payload"]) for entry in in_stream(redis_url)]


def in_outbox(database):
    return rows(database, "SELECT * FROM outbox ORDER BY payment_id, seq")


def seqs_of(redis_url):
    return first_seqs(told(redis_url))


def test_events_reach_the_stream_in_order_and_leave_the_outbox(database, stream, redis_url):
    payment_id = a_payment(database, merchant_id="m_7", reference="order-7")
    report = drained(database, stream)
    assert (report.claimed, report.delivered, report.failed, report.more) == (3, 3, 0, False)
    assert in_outbox(database) == []
    entries = in_stream(redis_url)
    assert [entry["id"] for entry in entries] == event_ids(payment_id, 1, 2, 3)
    assert {entry["merchant_id"] for entry in entries} == {"m_7"}
    last = json.loads(entries[-1]["payload"])
    assert (last["type"], last["seq"], last["payment_id"]) == ("payment.succeeded", 3, payment_id)
    terms = {"mode": "test", "amount": 1999, "currency": "USD", "reference": "order-7"}
    assert last["data"] == {**terms, "state": "SUCCESS"}


def test_an_empty_outbox_is_nothing_to_do(database, stream, redis_url):
    report = drained(database, stream)
    assert (report.claimed, report.delivered, report.failed, report.more) == (0, 0, 0, False)
    assert in_stream(redis_url) == []


def test_a_limit_that_cuts_a_payments_events_keeps_their_order(database, stream, redis_url):
    payments = [a_payment(database, events=STORY * 3) for _ in range(3)]
    report = drained(database, stream, limit=4)
    assert report.delivered == 27
    assert seqs_of(redis_url) == {payment_id: list(range(1, 10)) for payment_id in payments}
    assert len(told(redis_url)) == 27


def test_order_holds_even_where_later_events_became_due_first(database, stream, redis_url):
    payment_id = a_payment(database, events=STORY * 3)
    execute(database, "UPDATE outbox SET due_at = now() - seq * interval '1 s'")
    for _ in range(9):
        drained(database, stream, limit=2)
    assert seqs_of(redis_url) == {payment_id: list(range(1, 10))}
    assert in_outbox(database) == []


def test_an_event_waits_while_an_earlier_one_is_leased(database):
    payment_id = a_payment(database)
    assert places(claimed(database, limit=1)) == [(payment_id, 1)]
    assert places(claimed(database)) == []


def test_an_event_behind_one_that_is_being_told_does_not_wait_for_the_end_of_the_lease(database):
    a_payment(database)
    claimed(database, limit=1)
    claimed(database)
    behind = rows(database, "SELECT due_at < now() + interval '5 s' AS soon FROM outbox WHERE seq > 1")
    assert [row["soon"] for row in behind] == [True, True]


def test_an_event_waits_while_an_earlier_one_is_being_claimed(database):
    payment_id = a_payment(database)
    with database.engine.begin() as other:
        assert len(outbox_rows.claim(other, limit=1, lease_s=LEASE_S).events) == 1
        assert places(claimed(database)) == []
    assert places(claimed(database)) == []
    make_due(database, "outbox")
    assert places(claimed(database)) == [(payment_id, 1), (payment_id, 2), (payment_id, 3)]


def test_an_event_waits_while_an_earlier_one_is_being_taken_out(database):
    payment_id = a_payment(database)
    claim = claimed(database, limit=1)
    with database.engine.begin() as other:
        assert outbox_rows.remove(other, claim.events).removed == 1
        assert places(claimed(database)) == []
    make_due(database, "outbox")
    assert places(claimed(database)) == [(payment_id, 2), (payment_id, 3)]


def test_a_payment_that_waits_holds_up_no_other_however_many_events_it_has(database, stream, redis_url):
    waiting = a_payment(database, events=STORY * 10)
    execute(database, "UPDATE outbox SET due_at = now() + interval '1 h' WHERE seq = 1")
    other = a_payment(database)
    for _ in range(10):
        drained(database, stream, limit=3)
    assert seqs_of(redis_url) == {other: [1, 2, 3]}
    make_due(database, "outbox")
    drained(database, stream, limit=3)
    assert seqs_of(redis_url)[waiting] == list(range(1, 31))


def test_a_drainer_that_died_before_telling_is_made_good_when_its_lease_runs_out(database, stream, redis_url):
    payment_id = a_payment(database)
    claimed(database)
    assert drained(database, stream).claimed == 0
    make_due(database, "outbox")
    assert drained(database, stream).delivered == 3
    assert [event["id"] for event in told(redis_url)] == event_ids(payment_id, 1, 2, 3)


def test_a_drainer_that_died_after_telling_causes_duplicates_with_the_same_ids(database, stream, redis_url):
    payment_id = a_payment(database)
    stream.tell([row.event for row in claimed(database).events])
    make_due(database, "outbox")
    assert drained(database, stream).delivered == 3
    first, second = in_stream(redis_url)[:3], in_stream(redis_url)[3:]
    assert first == second
    assert [entry["id"] for entry in first] == event_ids(payment_id, 1, 2, 3)


def test_a_zombie_takes_out_and_puts_off_nothing_that_another_has_claimed_since(database):
    a_payment(database)
    zombie = claimed(database)
    make_due(database, "outbox")
    holder = claimed(database)
    assert places(holder) == places(zombie)
    before = in_outbox(database)
    assert removed(database, zombie) == 0
    assert (
        database.run(lambda connection: outbox_rows.back_off(connection, zombie.events, [60.0] * 3, "late"))
        == 0
    )
    assert in_outbox(database) == before
    assert removed(database, holder) == 3


def test_two_drainers_keep_the_order_of_every_payment_while_events_come_in(database, redis_url):
    payments = [a_payment(database, events=STORY[:1]) for _ in range(20)]
    writing = threading.Event()
    writing.set()
    reports, errors = [], []

    def drain_for_ever(limit):
        try:
            with Redis.from_url(redis_url) as redis:
                while writing.is_set() or in_outbox(database):
                    stream = EventStream(redis, maxlen=100_000)
                    reports.append(drain(database, [stream], limit=limit, lease_s=LEASE_S))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=drain_for_ever, args=(limit,)) for limit in (3, 7)]
    for thread in threads:
        thread.start()
    rng = random.Random(7)
    for seq in range(2, 12):
        for payment_id in rng.sample(payments, len(payments)):
            an_event(database, payment_id, seq)
    writing.clear()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    assert sum(report.delivered for report in reports) == 220
    assert [event["id"] for event in told(redis_url)] == list({event["id"]: 1 for event in told(redis_url)})
    assert seqs_of(redis_url) == {payment_id: list(range(1, 12)) for payment_id in payments}


def test_while_redis_is_down_events_are_kept_and_told_later(database, stream, dead_stream, redis_url):
    payment_id = a_payment(database)
    report = drained(database, dead_stream)
    assert (report.delivered, report.failed) == (0, 3)
    kept = in_outbox(database)
    assert [(row["seq"], row["tries"]) for row in kept] == [(1, 1), (2, 1), (3, 1)]
    assert all("ConnectionError" in row["last_error"] for row in kept)
    waits = rows(database, "SELECT extract(epoch FROM due_at - now()) AS s FROM outbox")
    assert all(row["s"] <= 60 for row in waits)
    make_due(database, "outbox")
    assert drained(database, stream).delivered == 3
    assert [event["id"] for event in told(redis_url)] == event_ids(payment_id, 1, 2, 3)


def test_a_stream_that_fails_is_asked_once_a_drain(database, redis_url):
    class Counting(EventStream):
        asked = 0

        def tell(self, events):
            self.asked += 1
            super().tell(events)

    for _ in range(4):
        a_payment(database)
    with Redis(port=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)) as redis:
        stream = Counting(redis, maxlen=10)
        report = drained(database, stream, limit=2)
    assert (stream.asked, report.delivered) == (1, 0)
    assert rows(database, "SELECT 1 FROM outbox WHERE due_at <= now()") == []


def test_a_redis_out_of_memory_refuses_the_batch_as_a_whole(database, stream, redis_url):
    a_payment(database)
    with Redis.from_url(redis_url) as redis:
        redis.config_set("maxmemory", 1)
        try:
            assert drained(database, stream).failed == 3
        finally:
            redis.config_set("maxmemory", 0)
    assert in_stream(redis_url) == []
    assert len(in_outbox(database)) == 3


def test_the_stream_is_kept_at_about_its_length(database, redis_url):
    for _ in range(20):
        a_payment(database, events=STORY * 10)
    with Redis.from_url(redis_url) as redis:
        drain(database, [EventStream(redis, maxlen=100)], limit=50, lease_s=LEASE_S)
        # Redis trims whole nodes of the stream, 100 entries each, so "about" is one node.
        assert 100 <= redis.xlen(STREAM) < 250
    assert in_outbox(database) == []


def test_lag_tells_how_many_events_wait_and_for_how_long(database, stream):
    with database.read() as connection:
        assert outbox_rows.lag(connection) == {"pending": 0, "failed": 0, "leased": 0, "oldest_age_s": 0.0}
    a_payment(database)
    execute(database, "UPDATE outbox SET created_at = now() - interval '90 s' WHERE seq = 1")
    with database.read() as connection:
        lag = outbox_rows.lag(connection)
    assert (lag["pending"], lag["failed"], lag["leased"]) == (3, 0, 0)
    assert lag["oldest_age_s"] >= 90
    claimed(database, limit=1)
    with database.read() as connection:
        assert outbox_rows.lag(connection)["leased"] == 1
    make_due(database, "outbox")
    drained(database, stream)
    with database.read() as connection:
        assert outbox_rows.lag(connection)["pending"] == 0


def test_a_batch_that_is_not_full_is_the_last(database, stream, monkeypatch):
    claims = []

    def counted(connection, **changes):
        claims.append(claim_rows(connection, **changes))
        return claims[-1]

    claim_rows = outbox_rows.claim
    monkeypatch.setattr(outbox_rows, "claim", counted)
    for _ in range(3):
        a_payment(database)
    assert drained(database, stream, limit=4).delivered == 9
    assert [claim.full for claim in claims] == [True, True, False]


def test_what_was_put_off_behind_a_batch_goes_with_the_same_drain(database, redis_url):
    payment_id = a_payment(database, events=STORY[:1])

    class Meanwhile(EventStream):
        """While the first batch is told, another drainer finds the next event and puts it off."""

        def tell(self, events):
            if len(events) == 1:
                an_event(database, payment_id, 2)
                an_event(database, payment_id, 3)
                assert claimed(database).moved == 2
            super().tell(events)

    with Redis.from_url(redis_url) as redis:
        report = drained(database, Meanwhile(redis, maxlen=1000))
    assert (report.delivered, report.more) == (3, False)
    assert seqs_of(redis_url) == {payment_id: [1, 2, 3]}


def test_a_drain_that_ran_out_of_time_says_that_there_is_more(database, stream):
    for _ in range(3):
        a_payment(database)
    report = drain(database, [stream], limit=2, lease_s=LEASE_S, budget_s=0)
    assert (report.delivered, report.more) == (2, True)
