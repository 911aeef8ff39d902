"""A merchant's endpoints and deliveries: made, listed, disabled, delivered again, and nobody else's business."""

from __future__ import annotations

import itertools
import threading

import pytest
from support.outbox_events import (
    STORY,
    a_payment,
    an_event,
    claim_and_fan_out,
    event_ids,
    execute,
    settings_with,
)
from support.payments import rows

from aegis_worker import ids
from aegis_worker.delivery.webhooks.addresses import EndpointRefused
from aegis_worker.delivery.webhooks.endpoints import (
    MAX_ENDPOINTS,
    create_endpoint,
    disable_endpoint,
    list_deliveries,
    list_endpoints,
    redeliver,
)
from aegis_worker.delivery.webhooks.signing import endpoint_secret
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.transitions import EventType
from aegis_worker.errors import NotFound
from aegis_worker.persistence import delivery_rows

URL = "https://merchant.example/hooks"


@pytest.fixture
def settings():
    return settings_with()


@pytest.fixture
def endpoint(database, settings):
    """Makes endpoints."""

    numbers = itertools.count(1)

    def make(*event_types, merchant_id="m_1", url=None):
        url = url or f"{URL}/{next(numbers)}"
        return create_endpoint(database, settings, Owner(merchant_id, "test"), url, event_types)

    return make


def fan_out(database):
    database.run(lambda connection: claim_and_fan_out(connection, limit=500, lease_s=60))


def test_a_new_endpoint_tells_its_secret_once_and_the_secret_can_be_derived_again(endpoint, settings):
    created = endpoint("payment.succeeded", "payment.failed", "payment.succeeded")
    assert created.endpoint.event_types == (EventType.SUCCEEDED, EventType.FAILED)
    assert created.secret == endpoint_secret(settings.secret, created.endpoint.id, 1)


def test_endpoints_are_listed_by_merchant_and_gone_when_disabled(database, endpoint):
    first, second, other = endpoint(), endpoint(), endpoint(merchant_id="m_2")
    assert list_endpoints(database, Owner("m_1", "test")) == [first.endpoint, second.endpoint]
    disable_endpoint(database, Owner("m_1", "test"), first.endpoint.id)
    assert list_endpoints(database, Owner("m_1", "test")) == [second.endpoint]
    assert list_endpoints(database, Owner("m_2", "test")) == [other.endpoint]


@pytest.mark.parametrize("event_types", [["payment.paid"], ["PAYMENT_SUCCEEDED"], [""]])
def test_an_unknown_event_type_is_refused(endpoint, event_types):
    with pytest.raises(EndpointRefused, match="unknown event type"):
        endpoint(*event_types)


@pytest.mark.parametrize(
    "url", ["http://merchant.example/", "https://127.0.0.1/", "https://localhost/", "nonsense"]
)
def test_a_url_that_webhooks_may_not_go_to_is_refused(database, settings, url):
    with pytest.raises(EndpointRefused):
        create_endpoint(database, settings, Owner("m_1", "test"), url, [])
    assert list_endpoints(database, Owner("m_1", "test")) == []


def test_the_number_of_endpoints_is_bounded_also_when_asked_for_at_once(database, endpoint):
    made, refused = [], []

    def make():
        try:
            made.append(endpoint())
        except EndpointRefused as error:
            refused.append(error)

    threads = [threading.Thread(target=make) for _ in range(MAX_ENDPOINTS + 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), len(refused)) == (MAX_ENDPOINTS, 4)
    endpoint(merchant_id="m_2")
    disable_endpoint(database, Owner("m_1", "test"), made[0].endpoint.id)
    endpoint()


def test_only_its_merchant_may_disable_an_endpoint_and_only_once(database, endpoint):
    created = endpoint()
    for merchant_id, endpoint_id in (("m_2", created.endpoint.id), ("m_1", ids.new_id(ids.ENDPOINT))):
        with pytest.raises(NotFound):
            disable_endpoint(database, Owner(merchant_id, "test"), endpoint_id)
    disable_endpoint(database, Owner("m_1", "test"), created.endpoint.id)
    with pytest.raises(NotFound):
        disable_endpoint(database, Owner("m_1", "test"), created.endpoint.id)


def test_what_was_waiting_for_a_disabled_endpoint_is_cancelled(database, endpoint):
    created, other = endpoint(), endpoint()
    a_payment(database)
    fan_out(database)
    disable_endpoint(database, Owner("m_1", "test"), created.endpoint.id)
    found = rows(database, "SELECT DISTINCT endpoint_id, status FROM webhook_deliveries")
    assert {row["endpoint_id"]: row["status"] for row in found} == {
        created.endpoint.id: "cancelled",
        other.endpoint.id: "pending",
    }


def test_deliveries_are_listed_newest_first_page_by_page(database, endpoint):
    endpoint()
    first, second = a_payment(database), a_payment(database)
    fan_out(database)
    page = list_deliveries(database, Owner("m_1", "test"), limit=4)
    rest = list_deliveries(database, Owner("m_1", "test"), limit=4, starting_after=page[-1].id)
    assert (len(page), len(rest)) == (4, 2)
    every = [*page, *rest]
    assert [delivery.id for delivery in every] == sorted({delivery.id for delivery in every}, reverse=True)
    assert {(delivery.payment_id, delivery.seq) for delivery in every} == {
        (payment_id, seq) for payment_id in (first, second) for seq in (1, 2, 3)
    }


def test_deliveries_can_be_narrowed_down_and_belong_to_their_merchant(database, endpoint):
    endpoint()
    first, _ = a_payment(database), a_payment(database)
    fan_out(database)
    execute(database, "UPDATE webhook_deliveries SET status = 'dead' WHERE seq = 2")
    found = list_deliveries(database, Owner("m_1", "test"), payment_id=first, status="dead", limit=10)
    assert [(delivery.payment_id, delivery.seq) for delivery in found] == [(first, 2)]
    assert list_deliveries(database, Owner("m_2", "test"), limit=10) == []


@pytest.mark.parametrize("status", ["pending", "delivered", "dead"])
def test_redelivery_makes_an_event_due_again_for_every_endpoint(database, endpoint, status):
    endpoint(), endpoint()
    payment_id = a_payment(database)
    fan_out(database)
    execute(
        database,
        f"UPDATE webhook_deliveries SET status = '{status}', tries = 7, due_at = now() + interval '1 h'",
    )
    assert redeliver(database, Owner("m_1", "test"), event_ids(payment_id, 2)[0]) == 2
    due = rows(database, "SELECT * FROM webhook_deliveries WHERE due_at <= now() AND seq = 2")
    assert [(row["status"], row["tries"]) for row in due] == [("pending", 0)] * 2


def test_redelivery_of_an_event_brings_forward_the_earlier_ones_that_it_waits_for(database, endpoint):
    endpoint()
    payment_id = a_payment(database)
    fan_out(database)
    execute(database, "UPDATE webhook_deliveries SET tries = 3, due_at = now() + interval '1 h'")
    execute(database, "UPDATE webhook_endpoints SET resting_until = now() + interval '1 h'")
    assert redeliver(database, Owner("m_1", "test"), event_ids(payment_id, 2)[0]) == 1
    claim = database.run(
        lambda connection: delivery_rows.claim(connection, limit=9, per_endpoint=9, skip=[], lease_s=60)
    )
    assert [(row.event.seq, row.tries) for row in claim.deliveries] == [(1, 3), (2, 0)]


def test_redelivery_reaches_endpoints_that_are_newer_than_the_event(database, endpoint):
    payment_id = a_payment(database)
    fan_out(database)
    wanting = endpoint("payment.succeeded")
    endpoint("payment.failed")
    assert redeliver(database, Owner("m_1", "test"), event_ids(payment_id, 3)[0]) == 1
    [row] = rows(database, "SELECT * FROM webhook_deliveries")
    assert (row["endpoint_id"], row["seq"], row["status"]) == (wanting.endpoint.id, 3, "pending")


def test_redelivery_does_not_revive_what_belongs_to_a_disabled_endpoint(database, endpoint):
    created = endpoint()
    payment_id = a_payment(database, events=STORY[:1])
    fan_out(database)
    disable_endpoint(database, Owner("m_1", "test"), created.endpoint.id)
    assert redeliver(database, Owner("m_1", "test"), event_ids(payment_id, 1)[0]) == 0
    assert [row["status"] for row in rows(database, "SELECT status FROM webhook_deliveries")] == ["cancelled"]


def test_redelivery_lets_an_event_that_is_not_fanned_out_yet_overtake_nothing(database, endpoint):
    endpoint()
    payment_id = a_payment(database, events=STORY[:1])
    fan_out(database)
    an_event(database, payment_id, 2)
    assert redeliver(database, Owner("m_1", "test"), event_ids(payment_id, 2)[0]) == 0
    assert redeliver(database, Owner("m_1", "test"), event_ids(payment_id, 1)[0]) == 1
    assert [row["seq"] for row in rows(database, "SELECT seq FROM webhook_deliveries")] == [1]


def test_a_worker_that_holds_a_delivery_settles_nothing_after_its_redelivery(database, endpoint):
    endpoint()
    payment_id = a_payment(database, events=STORY[:1])
    fan_out(database)
    claim = database.run(
        lambda connection: delivery_rows.claim(connection, limit=9, per_endpoint=9, skip=[], lease_s=60)
    )
    redeliver(database, Owner("m_1", "test"), event_ids(payment_id, 1)[0])
    late = delivery_rows.Settlement(claim.deliveries[0], "dead")
    assert database.run(lambda connection: delivery_rows.settle(connection, [late])) == 0


@pytest.mark.parametrize("event_id", ["evt_", "evt_1_1", "pay_1", "", "evt_" + "0" * 32 + "_1"])
def test_redelivery_of_an_event_that_nobody_has_is_not_found(database, event_id):
    with pytest.raises(NotFound):
        redeliver(database, Owner("m_1", "test"), event_id)


def test_redelivery_of_another_merchants_event_is_not_found(database, endpoint):
    endpoint(merchant_id="m_2")
    payment_id = a_payment(database)
    with pytest.raises(NotFound):
        redeliver(database, Owner("m_2", "test"), event_ids(payment_id, 1)[0])
