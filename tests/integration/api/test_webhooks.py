"""Webhook endpoints and deliveries over HTTP."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from support.api_client import SUCCEEDED, Api, Merchant, codes, start_api

URL = "https://shop.example/hooks"


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def fan_out(api: Api) -> None:
    """What the outbox does before webhooks are posted, as far as redelivery needs it."""
    api.database.run(lambda connection: connection.execute(text("UPDATE outbox SET fanned_out = true")))


def test_an_endpoint_is_made_with_a_secret_that_is_shown_once(shop: Merchant) -> None:
    made = shop.post("/v1/webhook-endpoints", json={"url": URL, "event_types": ["payment.succeeded"]})
    endpoint = made.json
    assert made.status_code == 201
    assert endpoint["secret"].startswith("whsec_")
    assert made.headers["Location"] == f"/v1/webhook-endpoints/{endpoint['id']}"
    secret = endpoint.pop("secret")
    listed = shop.get("/v1/webhook-endpoints")
    assert listed.json == {"data": [endpoint], "has_more": False, "next_cursor": None}
    assert secret not in listed.text
    assert endpoint["event_types"] == ["payment.succeeded"]


@pytest.mark.parametrize(
    "url",
    ["http://shop.example/", "https://127.0.0.1/", "https://169.254.169.254/", "ftp://x.example", "nonsense"],
)
def test_an_endpoint_that_webhooks_may_not_go_to_is_refused(shop: Merchant, url: str) -> None:
    answer = shop.post("/v1/webhook-endpoints", json={"url": url})
    assert (answer.status_code, answer.json["code"]) == (422, "webhook_endpoint_refused")


def test_a_wrong_body_is_refused_with_pointers(shop: Merchant) -> None:
    answer = shop.post("/v1/webhook-endpoints", json={"event_types": ["payment.paid"], "secret": "x"})
    assert answer.status_code == 422
    assert codes(answer) == [
        ("/event_types/0", "invalid_value"),
        ("/secret", "unknown_field"),
        ("/url", "required"),
    ]


def test_a_disabled_endpoint_is_gone(api: Api, shop: Merchant) -> None:
    path = shop.post("/v1/webhook-endpoints", json={"url": URL}).headers["Location"]
    assert api.merchant("mer_b").delete(path).status_code == 404
    gone = shop.delete(path)
    assert (gone.status_code, gone.data) == (204, b"")
    assert shop.get("/v1/webhook-endpoints").json["data"] == []
    assert shop.delete(path).status_code == 404
    assert shop.delete("/v1/webhook-endpoints/whe_%00").status_code == 404


def test_an_event_is_posted_again_and_listed(api: Api, shop: Merchant) -> None:
    endpoint = shop.post("/v1/webhook-endpoints", json={"url": URL}).json
    accepted = shop.accepted()
    api.settle(*SUCCEEDED)
    fan_out(api)
    api.told.queues.clear()
    events = [event["id"] for event in shop.get(accepted["links"]["events"]).json["data"]]
    for event in events:
        answer = shop.post(f"/v1/events/{event}/redeliver")
        assert (answer.status_code, answer.json) == (202, {"event_id": event, "deliveries": 1})
    assert api.told.queues == ["webhooks"] * 3
    listed = shop.get("/v1/webhook-deliveries").json["data"]
    assert {row["event_id"] for row in listed} == set(events)
    assert {(row["endpoint_id"], row["status"], row["tries"]) for row in listed} == {
        (endpoint["id"], "pending", 0)
    }
    first = shop.get("/v1/webhook-deliveries?limit=2").json
    assert (first["has_more"], first["next_cursor"]) == (True, first["data"][-1]["id"])
    rest = shop.get(f"/v1/webhook-deliveries?limit=2&starting_after={first['next_cursor']}").json
    assert first["data"] + rest["data"] == listed
    assert rest["has_more"] is False
    assert shop.get("/v1/webhook-deliveries?status=dead").json["data"] == []
    assert shop.get(f"/v1/webhook-deliveries?payment_id={accepted['id']}").json["data"] == listed
    assert api.merchant("mer_b").get("/v1/webhook-deliveries").json["data"] == []


@pytest.mark.parametrize(
    "event", ["evt_" + "0" * 32 + "_1", "evt_1", "pay_" + "0" * 32, "%00", "evt_" + "%00" * 32 + "_1"]
)
def test_an_event_that_does_not_exist_can_not_be_posted_again(api: Api, shop: Merchant, event: str) -> None:
    answer = shop.post(f"/v1/events/{event}/redeliver")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert api.told.queues == []


def test_another_merchants_event_can_not_be_posted_again(api: Api, shop: Merchant) -> None:
    accepted = shop.accepted()
    (event,) = shop.get(accepted["links"]["events"]).json["data"]
    assert api.merchant("mer_b").post(f"/v1/events/{event['id']}/redeliver").status_code == 404
