"""Delivery on real PostgreSQL to a real web server: in order per payment, each endpoint for itself."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from support.merchant_server import a_sink, answers
from support.outbox_events import (
    STORY,
    a_payment,
    an_event,
    claim_and_fan_out,
    event_ids,
    execute,
    first_seqs,
    make_due,
    settings_with,
)
from support.payments import rows

from aegis_client import InvalidWebhook
from aegis_client.webhooks import verify
from aegis_worker.delivery.webhooks.deliver import deliver_due
from aegis_worker.delivery.webhooks.endpoints import create_endpoint, list_endpoints, redeliver
from aegis_worker.delivery.webhooks.sender import HttpSender
from aegis_worker.domain.modes import Owner
from aegis_worker.errors import ConfigurationError
from aegis_worker.persistence import delivery_rows
from aegis_worker.persistence.delivery_rows import Settlement

LEASE_S = 60.0


@pytest.fixture
def sink():
    with a_sink() as running:
        yield running


@pytest.fixture
def settings():
    return settings_with(webhook_allow_private=True, webhook_timeout_s=10.0)


@pytest.fixture
def sender(settings):
    sender = HttpSender(timeout_s=settings.webhook_timeout_s, allow_private=True)
    yield sender
    sender.close()


@pytest.fixture
def hasty():
    """Gives up after a quarter of a second."""
    sender = HttpSender(timeout_s=0.25, allow_private=True)
    yield sender
    sender.close()


@pytest.fixture
def deliver(database, sender, settings):
    def run(sender=sender, limit=64, **changes):
        return deliver_due(database, sender, replace(settings, **changes), limit=limit, lease_s=LEASE_S)

    return run


@pytest.fixture
def endpoint(database, settings):
    """Makes endpoints."""

    def make(url, *event_types, merchant_id="m_1"):
        return create_endpoint(database, settings, Owner(merchant_id, "test"), url, event_types)

    return make


def fan_out(database):
    while database.run(lambda connection: claim_and_fan_out(connection, limit=500, lease_s=LEASE_S)).moved:
        pass


def a_told_payment(database, **changes):
    """A payment whose events have been fanned out."""
    payment_id = a_payment(database, **changes)
    fan_out(database)
    return payment_id


def let_time_pass(database):
    """Backoffs, leases and rests are over."""
    make_due(database, "webhook_deliveries")
    execute(database, "UPDATE webhook_endpoints SET resting_until = NULL")


def deliveries(database, **where):
    due_in_s = "extract(epoch FROM due_at - now())::float8 AS due_in_s"
    found = rows(database, f"SELECT *, {due_in_s} FROM webhook_deliveries ORDER BY payment_id, seq")
    return [row for row in found if all(row[name] == value for name, value in where.items())]


def statuses(database, **where):
    return [(row["seq"], row["status"], row["tries"]) for row in deliveries(database, **where)]


def ids_at(sink, path="/hooks"):
    return [request.headers["webhook-id"] for request in sink.at(path)]


def test_events_arrive_in_order_signed_and_are_logged(database, sink, endpoint, deliver):
    created = endpoint(sink.url())
    payment_id = a_told_payment(database, reference="order-7")
    report = deliver()
    assert (report.claimed, report.delivered, report.failed, report.dead, report.more) == (3, 3, 0, 0, False)
    assert ids_at(sink) == event_ids(payment_id, 1, 2, 3)
    for request in sink.received:
        assert verify(created.secret, request.headers, request.body) == request.json["id"]
        with pytest.raises(InvalidWebhook):
            verify(created.secret, request.headers, request.body.replace(b"1999", b"1998"))
    assert sink.received[-1].json["type"] == "payment.succeeded"
    assert sink.received[-1].json["data"]["reference"] == "order-7"
    for row in deliveries(database):
        assert (row["status"], row["tries"]) == ("delivered", 1)
        assert row["delivered_at"] is not None
        [entry] = row["log"]
        assert (entry["status_code"], entry["error"]) == (204, None)
        assert set(entry) == {"at", "status_code", "error", "duration_ms"}


def test_nothing_due_is_nothing_to_do(deliver):
    report = deliver()
    assert (report.claimed, report.more) == (0, False)


def test_a_failed_delivery_holds_up_the_later_ones_of_its_payment_and_no_other(
    database, sink, endpoint, deliver
):
    endpoint(sink.url())
    stuck, fine = a_told_payment(database), a_told_payment(database)

    def unless_stuck(request):
        answers(500 if stuck.removeprefix("pay_") in request.headers["webhook-id"] else 204)(request)

    sink.otherwise["/hooks"] = unless_stuck
    report = deliver()
    assert (report.delivered, report.failed) == (3, 1)
    assert statuses(database, payment_id=stuck) == [(1, "pending", 1), (2, "pending", 0), (3, "pending", 0)]
    assert [status for _, status, _ in statuses(database, payment_id=fine)] == ["delivered"] * 3
    assert deliver().claimed == 0
    assert all(row["due_in_s"] <= 6 for row in deliveries(database, payment_id=stuck))
    del sink.otherwise["/hooks"]
    sink.received.clear()
    let_time_pass(database)
    assert deliver().delivered == 3
    assert ids_at(sink) == event_ids(stuck, 1, 2, 3)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_limit_that_cuts_a_payments_events_keeps_their_order(database, sink, endpoint, deliver, limit):
    endpoint(sink.url())
    payments = [a_told_payment(database, events=STORY * 2) for _ in range(3)]
    deliver(limit=limit)
    assert first_seqs([request.json for request in sink.received]) == {
        payment_id: [1, 2, 3, 4, 5, 6] for payment_id in payments
    }
    assert len(sink.received) == 18


def test_order_holds_even_where_later_deliveries_became_due_first(database, sink, endpoint, deliver):
    endpoint(sink.url())
    payment_id = a_told_payment(database, events=STORY * 2)
    execute(database, "UPDATE webhook_deliveries SET due_at = now() - seq * interval '1 s'")
    deliver(limit=1)
    assert ids_at(sink) == event_ids(payment_id, 1, 2, 3, 4, 5, 6)


def test_two_workers_keep_the_order_of_every_payment_while_events_come_in(database, sink, endpoint, settings):
    endpoint(sink.url())
    endpoint(sink.url("/second"))
    payments = [a_told_payment(database, events=STORY[:1]) for _ in range(8)]
    writing = threading.Event()
    writing.set()
    errors = []

    def keep_delivering(limit):
        sender = HttpSender(timeout_s=10, allow_private=True)
        try:
            while writing.is_set() or deliveries(database, status="pending"):
                deliver_due(database, sender, settings, limit=limit, lease_s=LEASE_S)
        except Exception as error:
            errors.append(error)
        finally:
            sender.close()

    threads = [threading.Thread(target=keep_delivering, args=(limit,)) for limit in (5, 16)]
    for thread in threads:
        thread.start()
    for seq in range(2, 7):
        for payment_id in payments:
            an_event(database, payment_id, seq)
        fan_out(database)
    writing.clear()
    for thread in threads:
        thread.join(timeout=60)
    assert errors == []
    for path in ("/hooks", "/second"):
        assert first_seqs([request.json for request in sink.at(path)]) == {
            payment_id: [1, 2, 3, 4, 5, 6] for payment_id in payments
        }
        assert len(sink.at(path)) == 48


def test_an_endpoint_that_hangs_gets_one_connection_and_then_a_rest(database, sink, endpoint, deliver, hasty):
    sink.otherwise["/hooks"] = sink.hangs
    endpoint(sink.url())
    for _ in range(10):
        a_told_payment(database, events=STORY[:1])
    report = deliver(hasty)
    assert (len(sink.received), report.failed) == (1, 1)
    assert sum(row["tries"] for row in deliveries(database)) == 1
    [resting] = rows(database, "SELECT resting_until > now() AS rests FROM webhook_endpoints")
    assert resting["rests"]
    make_due(database, "webhook_deliveries")
    assert deliver(hasty).claimed == 0


def test_while_one_endpoint_hangs_what_becomes_due_for_another_is_delivered(
    database, sink, endpoint, deliver, sender
):
    sink.otherwise["/hangs"] = sink.hangs
    endpoint(sink.url("/hangs"))
    endpoint(sink.url("/good"), merchant_id="m_2")
    a_told_payment(database, events=STORY[:1])
    run = threading.Thread(target=deliver)
    run.start()
    sink.wait_for(1)
    later = a_told_payment(database, events=STORY[:1], merchant_id="m_2")
    sink.wait_for(2)
    assert ids_at(sink, "/good") == event_ids(later, 1)
    assert statuses(database, merchant_id="m_1") == [(1, "pending", 0)]
    sink.released.set()
    run.join()


def test_a_long_backlog_of_one_endpoint_leaves_room_for_the_others(database, sink, endpoint):
    endpoint(sink.url("/busy"))
    for _ in range(10):
        a_told_payment(database)
    endpoint(sink.url("/quiet"), merchant_id="m_2")
    quiet = a_told_payment(database, events=STORY[:1], merchant_id="m_2")

    def claim(connection):
        return delivery_rows.claim(connection, limit=8, per_endpoint=2, skip=[], lease_s=LEASE_S)

    assert quiet in {row.event.payment_id for row in database.run(claim).deliveries}


def test_many_payments_go_to_one_endpoint_side_by_side(database, sink, endpoint, deliver):
    endpoint(sink.url())
    payments = [a_told_payment(database) for _ in range(40)]
    assert deliver(limit=256).delivered == 120
    assert first_seqs([request.json for request in sink.received]) == {
        payment_id: [1, 2, 3] for payment_id in payments
    }
    assert 1 < len({request.connection for request in sink.received}) <= 8


def test_a_worker_that_died_is_made_good_with_the_same_event_id(database, sink, endpoint, deliver, settings):
    endpoint(sink.url())
    payment_id = a_told_payment(database, events=STORY[:1])
    sink.otherwise["/hooks"] = answers(200)
    claim = claimed(database)
    assert len(claim) == 1
    assert deliver().claimed == 0
    let_time_pass(database)
    assert deliver().delivered == 1
    assert ids_at(sink) == event_ids(payment_id, 1)


def claimed(database):
    def claim(connection):
        return delivery_rows.claim(
            connection, limit=100, per_endpoint=100, skip=[], lease_s=LEASE_S
        ).deliveries

    return database.run(claim)


def test_a_zombie_settles_nothing_that_another_has_claimed_since(database, sink, endpoint):
    endpoint(sink.url())
    a_told_payment(database, events=STORY[:1])
    [zombie] = claimed(database)
    let_time_pass(database)
    [holder] = claimed(database)
    late = Settlement(zombie, "dead", entry={"status_code": 500, "error": "late", "duration_ms": 1})
    assert database.run(lambda connection: delivery_rows.settle(connection, [late])) == 0
    assert statuses(database) == [(1, "pending", 0)]
    good = Settlement(holder, "delivered", entry={"status_code": 200, "error": None, "duration_ms": 1})
    assert database.run(lambda connection: delivery_rows.settle(connection, [good])) == 1


def test_after_its_tries_a_delivery_is_dead_and_the_next_of_its_payment_goes_on(
    database, sink, endpoint, deliver
):
    endpoint(sink.url())
    payment_id = a_told_payment(database)
    sink.scripts["/hooks"] = [answers(500), answers(503), answers(404)]
    for _ in range(3):
        deliver(webhook_max_tries=3)
        let_time_pass(database)
    assert statuses(database) == [(1, "dead", 3), (2, "delivered", 1), (3, "delivered", 1)]
    assert ids_at(sink) == event_ids(payment_id, 1, 1, 1, 2, 3)
    [dead] = deliveries(database, status="dead")
    assert [entry["status_code"] for entry in dead["log"]] == [500, 503, 404]


def test_a_dead_delivery_is_delivered_again_on_demand(database, sink, endpoint, deliver):
    endpoint(sink.url())
    payment_id = a_told_payment(database, events=STORY[:1])
    sink.scripts["/hooks"] = [answers(500)]
    assert deliver(webhook_max_tries=1).dead == 1
    assert redeliver(database, Owner("m_1", "test"), event_ids(payment_id, 1)[0]) == 1
    assert deliver(webhook_max_tries=1).delivered == 1
    [row] = deliveries(database)
    assert (row["status"], row["tries"]) == ("delivered", 1)
    assert [entry["status_code"] for entry in row["log"]] == [500, 204]
    assert ids_at(sink) == event_ids(payment_id, 1, 1)


def test_gone_disables_the_endpoint_and_cancels_what_was_waiting(database, sink, endpoint, deliver):
    endpoint(sink.url("/gone"))
    endpoint(sink.url("/stays"))
    a_told_payment(database)
    sink.otherwise["/gone"] = answers(410)
    deliver()
    assert len(sink.at("/gone")) == 1
    assert len(sink.at("/stays")) == 3
    assert [active.url for active in list_endpoints(database, Owner("m_1", "test"))] == [sink.url("/stays")]
    assert {row["status"] for row in deliveries(database)} == {"cancelled", "delivered"}
    assert len(deliveries(database, status="cancelled")) == 3


@pytest.mark.parametrize(
    ("retry_after", "at_least_s", "at_most_s"), [("100", 90, 110), ("9999999", 21_000, 22_000)]
)
def test_retry_after_is_honoured_within_bounds(
    database, sink, endpoint, deliver, retry_after, at_least_s, at_most_s
):
    endpoint(sink.url())
    a_told_payment(database)
    sink.scripts["/hooks"] = [answers(429, Retry_After=retry_after)]
    deliver()
    assert len(sink.received) == 1
    assert all(at_least_s <= row["due_in_s"] <= at_most_s for row in deliveries(database))


def test_what_an_endpoint_answers_is_kept_short_and_printable(database, sink, endpoint, deliver):
    endpoint(sink.url())
    a_told_payment(database, events=STORY[:1])
    sink.scripts["/hooks"] = [answers(500, b"\x00\xff" + "é".encode() * 5000)]
    deliver()
    [row] = deliveries(database)
    [entry] = row["log"]
    assert entry["error"].startswith("HTTP 500: ")
    assert len(entry["error"]) <= 210
    assert entry["error"].isprintable()


def test_the_log_of_a_delivery_keeps_its_last_twenty_tries(database, sink, endpoint, deliver):
    endpoint(sink.url())
    a_told_payment(database, events=STORY[:1])
    sink.scripts["/hooks"] = [answers(500 + number) for number in range(22)]
    for _ in range(22):
        deliver(webhook_max_tries=100)
        let_time_pass(database)
    [row] = deliveries(database)
    assert [entry["status_code"] for entry in row["log"]] == list(range(502, 522))
    assert row["tries"] == 22


def test_a_run_that_is_out_of_time_begins_nothing_and_says_that_there_is_more(
    database, sink, endpoint, sender, settings
):
    endpoint(sink.url())
    a_told_payment(database)
    report = deliver_due(database, sender, settings, limit=10, lease_s=LEASE_S, budget_s=0)
    assert (report.claimed, report.more, sink.received) == (0, True, [])


def test_a_lease_that_could_end_during_a_post_is_refused(database, sender, settings):
    with pytest.raises(ConfigurationError, match="lease"):
        deliver_due(database, sender, settings, limit=10, lease_s=1)


def test_neither_database_nor_deliveries_contain_the_secret(database, sink, endpoint, deliver, settings):
    created = endpoint(sink.url())
    a_told_payment(database)
    sink.scripts["/hooks"] = [answers(400, b"bad signature")]
    deliver()
    dump = json.dumps(
        [
            rows(database, f"SELECT * FROM {table}")
            for table in ("webhook_endpoints", "webhook_deliveries", "outbox", "payment_events")
        ],
        default=str,
    )
    assert sink.url() in dump
    for secret in (created.secret, created.secret.removeprefix("whsec_"), settings.secret):
        assert secret not in dump
        assert all(secret.encode() not in request.body for request in sink.received)
        assert all(secret not in str(request.headers) for request in sink.received)
    assert created.secret not in repr(created)
