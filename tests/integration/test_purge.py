"""Purge: what is past its time goes, in batches; what is not, or is still to be delivered, stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from support.outbox_events import STORY, a_payment, execute, settings_with
from support.payments import accept_one, rows

from aegis_worker.domain.modes import Owner
from aegis_worker.persistence import merchant_deliveries
from aegis_worker.persistence.database import Database
from aegis_worker.purge import purge

_NOTHING = {
    "idempotency_keys": 0,
    "webhooks_delivered": 0,
    "webhooks_left_behind": 0,
    "webhooks_dead": 0,
    "webhooks_cancelled": 0,
    "hook_deliveries": 0,
    "gateway_events": 0,
    "gateway_event_bodies": 0,
    "unverified_webhooks": 0,
    "card_declines": 0,
    "console_sessions": 0,
    "action_secrets": 0,
    "confirms_erased": 0,
    "payer_details": 0,
    "exchanges": 0,
}
SETTINGS = settings_with(
    idempotency_keep_h=72,
    webhook_keep_delivered_d=30,
    webhook_keep_dead_d=90,
    payer_keep_d=30,
    exchange_keep_d=30,
)

_DELIVERY = """
INSERT INTO webhook_deliveries (id, payment_id, seq, endpoint_id, merchant_id, status, created_at, due_at)
SELECT 'whd_' || %(name)s || n, 'pay_1', n, %(name)s, 'm_1', %(status)s, now() - %(age)s::interval,
    now() - %(ended)s::interval
FROM generate_series(1, %(count)s) AS n
"""


@pytest.fixture
def deliveries(database: Database) -> Callable[..., None]:
    """Makes deliveries of an age."""

    def make(name: str, status: str, age: str, *, ended: str | None = None, count: int = 1) -> None:
        execute(database, _DELIVERY, name=name, status=status, age=age, ended=ended or age, count=count)

    return make


def left(database: Database) -> set[str]:
    return {row["endpoint_id"] for row in rows(database, "SELECT endpoint_id FROM webhook_deliveries")}


def test_keys_are_forgotten_after_their_time_and_not_before(database: Database) -> None:
    accept_one(database, "old")
    execute(database, "UPDATE idempotency_keys SET created_at = now() - interval '73 h'")
    accept_one(database, "new")
    assert purge(database, SETTINGS) == _NOTHING | {"idempotency_keys": 1}
    assert rows(database, "SELECT key FROM idempotency_keys") == [{"key": "new"}]


def test_what_is_known_of_payers_is_forgotten_after_its_time(database: Database) -> None:
    accept_one(database, "old", payer={"email": "asha@shop.example"})
    execute(database, "UPDATE payer_details SET created_at = now() - interval '31 days'")
    new = accept_one(database, "new", payer={"email": "asha@shop.example"}).payment.id
    assert purge(database, SETTINGS) == _NOTHING | {"payer_details": 1}
    assert rows(database, "SELECT payment_id FROM payer_details") == [{"payment_id": new}]


def test_the_payer_of_a_payment_for_later_is_known_until_it_was_charged(database: Database) -> None:
    later = datetime.now(UTC) + timedelta(days=40)
    payment_id = accept_one(database, payer={"ip": "203.0.113.7"}, scheduled_at=later).payment.id
    execute(database, "UPDATE payer_details SET created_at = now() - interval '31 days'")
    assert purge(database, SETTINGS) == _NOTHING
    execute(
        database, f"UPDATE payments SET scheduled_at = now() - interval '31 days' WHERE id = '{payment_id}'"
    )
    assert purge(database, SETTINGS) == _NOTHING | {"payer_details": 1}


def test_deliveries_that_have_ended_are_forgotten_after_their_time(
    database: Database, deliveries: Callable[..., None]
) -> None:
    deliveries("delivered-old", "delivered", "31 days")
    deliveries("delivered-new", "delivered", "29 days")
    deliveries("delivered-again", "delivered", "31 days", ended="1 hour")
    deliveries("dead-old", "dead", "91 days")
    deliveries("dead-new", "dead", "89 days")
    deliveries("cancelled-old", "cancelled", "91 days")
    deliveries("cancelled-new", "cancelled", "91 days", ended="1 hour")
    deliveries("pending-old", "pending", "1 year")
    gone = {"webhooks_delivered": 1, "webhooks_dead": 1, "webhooks_cancelled": 1}
    assert purge(database, SETTINGS) == _NOTHING | gone
    assert left(database) == {"delivered-new", "delivered-again", "dead-new", "cancelled-new", "pending-old"}


def test_what_is_more_than_a_batch_goes_batch_by_batch_until_time_is_up(
    database: Database, deliveries: Callable[..., None]
) -> None:
    deliveries("old", "delivered", "31 days", count=7)
    assert purge(database, SETTINGS, limit=3, budget_s=0) == _NOTHING
    assert purge(database, SETTINGS, limit=3) == _NOTHING | {"webhooks_delivered": 7}
    assert purge(database, SETTINGS, limit=3) == _NOTHING


def test_two_that_purge_at_once_do_not_wait_for_each_other(
    database: Database, deliveries: Callable[..., None]
) -> None:
    deliveries("old", "delivered", "31 days", count=2)
    with database.engine.connect() as other:
        other.exec_driver_sql("SELECT 1 FROM webhook_deliveries WHERE seq = 1 FOR UPDATE")
        assert purge(database, SETTINGS)["webhooks_delivered"] == 1
    assert purge(database, SETTINGS)["webhooks_delivered"] == 1


def test_a_delivery_that_was_purged_can_be_made_again(database: Database) -> None:
    payment_id = a_payment(database, events=STORY[:1])
    execute(database, "DELETE FROM outbox")
    execute(
        database, "INSERT INTO webhook_endpoints (id, merchant_id, url) VALUES ('whe_1', 'm_1', 'http://x')"
    )
    deliver_again = merchant_deliveries.deliver_again
    assert (
        database.run(lambda connection: deliver_again(connection, Owner("m_1", "test"), payment_id, 1)) == 1
    )
    execute(
        database,
        "UPDATE webhook_deliveries SET status = 'delivered', created_at = '2020-01-01', due_at = '2020-01-01'",
    )
    assert purge(database, SETTINGS)["webhooks_delivered"] == 1
    assert (
        database.run(lambda connection: deliver_again(connection, Owner("m_1", "test"), payment_id, 1)) == 1
    )


def test_events_of_gateways_are_forgotten_after_30_days(database: Database) -> None:
    for name, age in (("old", "31 days"), ("new", "29 days")):
        execute(
            database,
            "INSERT INTO gateway_events (gateway, provider_event_id, kind, keep_until)"
            " VALUES ('a', %(name)s, 'payment.failed', now() + interval '30 days' - %(age)s::interval)",
            name=name,
            age=age,
        )
        execute(
            database,
            "INSERT INTO gateway_event_bodies (id, gateway, key_id, sealed, received_at)"
            " VALUES (%(name)s, 'a', 'k', '', now() - %(age)s::interval)",
            name=name,
            age=age,
        )
    assert purge(database, SETTINGS) == _NOTHING | {"gateway_events": 1, "gateway_event_bodies": 1}
    assert rows(database, "SELECT id FROM gateway_event_bodies") == [{"id": "new"}]
    assert rows(database, "SELECT provider_event_id FROM gateway_events") == [{"provider_event_id": "new"}]
