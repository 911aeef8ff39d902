"""A deleted endpoint leaves nothing to repair: what it did not get is cancelled, counted apart, and posted to nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.api_client import Merchant, start_api
from support.command_line import Aegis, aegis, install
from support.merchant_server import Sink, a_sink, answers
from support.outbox_events import STORY, a_payment, claim_and_fan_out, event_ids, execute, settings_with
from support.payments import rows

from aegis_worker.delivery.webhooks.endpoints import create_endpoint, disable_endpoint, redelivery
from aegis_worker.domain.modes import Owner
from aegis_worker.persistence import migrate
from aegis_worker.persistence.database import Database
from aegis_worker.purge import purge
from aegis_worker.queries.stuck import Thresholds, list_stuck

__all__ = ["aegis"]

SETTINGS = settings_with(webhook_allow_private=True, webhook_max_tries=1)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    install(monkeypatch, database_url, AEGIS_WEBHOOK_ALLOW_PRIVATE="true", AEGIS_WEBHOOK_MAX_TRIES="1")


@pytest.fixture
def sink() -> Iterator[Sink]:
    with a_sink() as running:
        yield running


def endpoint(database: Database, url: str, *event_types: str) -> str:
    return create_endpoint(database, SETTINGS, Owner("m_1", "test"), url, event_types).endpoint.id


def fan_out(database: Database) -> None:
    database.run(lambda connection: claim_and_fan_out(connection, limit=500, lease_s=60))


def by_status(database: Database) -> dict[str, int]:
    found = rows(database, "SELECT status, count(*) FROM webhook_deliveries GROUP BY 1")
    return {row["status"]: row["count"] for row in found}


def test_what_a_deleted_endpoint_did_not_get_is_cancelled_whether_it_waited_or_was_given_up(
    aegis: Aegis, database: Database, sink: Sink
) -> None:
    sink.otherwise["/hooks"] = answers(500)
    broken = endpoint(database, sink.url())
    a_payment(database, events=STORY[:1])
    fan_out(database)
    aegis("outbox", "drain")
    a_payment(database, events=STORY[:1])
    fan_out(database)
    assert by_status(database) == {"dead": 1, "pending": 1}
    (warned,) = [check for check in aegis("doctor", "--json").json["checks"] if check["name"] == "webhooks"]
    assert warned["verdict"] == "warn"

    assert aegis("outbox", "endpoints", "disable", broken, "--merchant", "m_1").exit_code == 0
    assert by_status(database) == {"cancelled": 2}
    (fine,) = [check for check in aegis("doctor", "--json").json["checks"] if check["name"] == "webhooks"]
    assert (fine["verdict"], fine["seen"]) == (
        "ok",
        "0 wait, 0 dead in 7 days, 2 cancelled with their endpoint",
    )
    lag = aegis("outbox", "status", "--json").json["webhooks"]
    assert (lag["pending"], lag["dead"], lag["cancelled"]) == (0, 0, 2)
    listed = aegis("outbox", "deliveries", "--status", "cancelled", "--json").json
    assert sorted(row["last_error"] or "" for row in listed) == ["", "HTTP 500"]
    with database.read() as connection:
        assert list_stuck(connection, Thresholds(outbox_after_s=3600), limit=10).found == []
    assert aegis("outbox", "drain", "--json").json["webhooks"]["claimed"] == 0


def test_what_another_endpoint_was_not_given_stays_dead(database: Database, sink: Sink, aegis: Aegis) -> None:
    sink.otherwise["/broken"] = answers(500)
    endpoint(database, sink.url("/broken"))
    gone = endpoint(database, sink.url("/gone"))
    a_payment(database, events=STORY[:1])
    fan_out(database)
    disable_endpoint(database, Owner("m_1", "test"), gone)
    aegis("outbox", "drain")
    assert by_status(database) == {"dead": 1, "cancelled": 1}


def test_posting_an_event_again_to_nobody_says_why(aegis: Aegis, database: Database, sink: Sink) -> None:
    payment_id = a_payment(database, events=STORY[:1])
    (event_id,) = event_ids(payment_id, 1)
    fan_out(database)
    shop = start_api(str(database.engine.url.render_as_string(hide_password=False))).merchant("m_1")

    def told_by_all(reason: str) -> None:
        ran = aegis("outbox", "redeliver", event_id, "--json")
        assert (ran.exit_code, ran.json["endpoints"]) == (1, 0)
        assert reason in ran.json["reason"]
        assert reason in aegis("outbox", "redeliver", event_id).out
        answer = shop.post(f"/v1/events/{event_id}/redeliver")
        assert (answer.status_code, answer.json["deliveries"]) == (202, 0)
        assert reason in answer.json["reason"]

    told_by_all("no active webhook endpoint")
    gone = endpoint(database, sink.url())
    ran = aegis("outbox", "redeliver", event_id, "--json")
    assert (ran.exit_code, ran.json) == (0, {"event_id": event_id, "endpoints": 1})
    disable_endpoint(database, Owner("m_1", "test"), gone)
    told_by_all("no active webhook endpoint")
    endpoint(database, sink.url("/others"), "payment.failed")
    told_by_all("wants payment.initiated")


def test_an_endpoint_that_no_longer_wants_an_event_does_not_get_it_again(
    database: Database, sink: Sink
) -> None:
    made = endpoint(database, sink.url())
    payment_id = a_payment(database, events=STORY[:1])
    fan_out(database)
    execute(database, "UPDATE webhook_deliveries SET status = 'delivered'")
    execute(
        database, "UPDATE webhook_endpoints SET event_types = '{PAYMENT_FAILED}' WHERE id = %(id)s", id=made
    )
    again = redelivery(database, Owner("m_1", "test"), event_ids(payment_id, 1)[0])
    assert (again.deliveries, "wants payment.initiated" in (again.reason or "")) == (0, True)
    assert by_status(database) == {"delivered": 1}


def test_an_event_that_was_not_posted_yet_is_said_to_go_out_by_itself(database: Database, sink: Sink) -> None:
    endpoint(database, sink.url())
    payment_id = a_payment(database, events=STORY[:1])
    again = redelivery(database, Owner("m_1", "test"), event_ids(payment_id, 1)[0])
    assert (again.deliveries, "goes out by itself" in (again.reason or "")) == (0, True)


def test_a_delivery_that_was_made_while_its_endpoint_was_deleted_does_not_wait_for_ever(
    database: Database, sink: Sink
) -> None:
    made, other = endpoint(database, sink.url()), endpoint(database, sink.url("/other"))
    a_payment(database, events=STORY[:2])
    fan_out(database)
    disable_endpoint(database, Owner("m_1", "test"), made)
    execute(
        database,
        "UPDATE webhook_deliveries SET status = (ARRAY['pending', 'dead'])[seq] WHERE endpoint_id = %(id)s",
        id=made,
    )
    assert purge(database, SETTINGS)["webhooks_left_behind"] == 2
    found = rows(database, "SELECT DISTINCT endpoint_id, status FROM webhook_deliveries")
    assert {row["endpoint_id"]: row["status"] for row in found} == {made: "cancelled", other: "pending"}


def test_the_api_lists_and_documents_cancelled_deliveries(
    database: Database, database_url: str, sink: Sink
) -> None:
    made = endpoint(database, sink.url())
    a_payment(database, events=STORY[:1])
    fan_out(database)
    disable_endpoint(database, Owner("m_1", "test"), made)
    api = start_api(database_url)
    shop: Merchant = api.merchant("m_1")
    (listed,) = shop.get("/v1/webhook-deliveries?status=cancelled").json["data"]
    assert listed["status"] == "cancelled"
    assert shop.get("/v1/webhook-deliveries?status=dead").json["data"] == []
    assert api.operator().get("/v1/ops/outbox").json["webhooks"]["cancelled"] == 1
    document = shop.get("/openapi.json").json
    assert "cancelled" in document["components"]["schemas"]["Delivery"]["properties"]["status"]["enum"]


@pytest.mark.slow
def test_the_migration_cancels_what_deleted_endpoints_left_in_whatever_state(
    database: Database, database_url: str, sink: Sink
) -> None:
    gone, stays = endpoint(database, sink.url()), endpoint(database, sink.url("/stays"))
    a_payment(database, events=STORY)
    fan_out(database)
    migrate.downgrade(database_url, "0005")
    execute(
        database,
        "UPDATE webhook_deliveries SET status = (ARRAY['pending', 'dead', 'delivered'])[seq], leased = seq = 1",
    )
    execute(database, "UPDATE webhook_endpoints SET disabled_at = now() WHERE id = %(id)s", id=gone)
    migrate.upgrade(database_url)
    found = rows(database, "SELECT endpoint_id, seq, status, leased FROM webhook_deliveries ORDER BY seq")
    assert [(row["status"], row["leased"]) for row in found if row["endpoint_id"] == gone] == [
        ("cancelled", False),
        ("cancelled", False),
        ("delivered", False),
    ]
    assert [row["status"] for row in found if row["endpoint_id"] == stays] == ["pending", "dead", "delivered"]
    # A worker of the version before goes on: it calls what it gives up dead.
    execute(database, "UPDATE webhook_deliveries SET status = 'dead' WHERE status = 'pending'")
    migrate.downgrade(database_url, "0005")
    assert set(by_status(database)) == {"dead", "delivered"}
    migrate.upgrade(database_url)
