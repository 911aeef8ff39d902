"""Real answers follow the OpenAPI document: every success, and a refusal of every status."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from support.api_client import CARD, SUCCEEDED, Api, Merchant, start_api
from support.documented_answers import follows

from aegis_worker.domain.declines import describe_error
from aegis_worker.domain.payment import Fact
from aegis_worker.domain.transitions import EventType

DECLINED = Fact(
    EventType.FAILED,
    {"last_error": describe_error("stolen_card", gateway="sandbox_a", gateway_code="43", message="stolen")},
)


@pytest.fixture
def api(database_url: str) -> Api:
    return start_api(database_url)


@pytest.fixture
def shop(api: Api) -> Merchant:
    return api.merchant()


def test_every_success_is_as_described(api: Api, shop: Merchant) -> None:
    document = shop.get("/openapi.json").json
    endpoint = shop.post("/v1/webhook-endpoints", json={"url": "https://shop.example/hooks"})
    accepted = shop.post_payment(key="one", reference="r", customer={"id": "c"}, metadata={"a": 1.5})
    paid, job = accepted.json["id"], accepted.json["job"]["id"]
    replayed = shop.post_payment(key="one", reference="r", customer={"id": "c"}, metadata={"a": 1.5})
    waited = shop.post_payment(prefer="wait=1")
    api.settle(*SUCCEEDED)
    api.database.run(lambda connection: connection.execute(text("UPDATE outbox SET fanned_out = true")))
    decided = shop.post_payment(
        key="one", prefer="wait=1", reference="r", customer={"id": "c"}, metadata={"a": 1.5}
    )
    declined = shop.accepted()["id"]
    api.settle(DECLINED, status="failed")
    one, history = "/v1/payments/{payment_id}", f"/v1/payments/{paid}"
    for path, method, status, answer in [
        ("/v1/payments", "post", 202, accepted),
        ("/v1/payments", "post", 202, replayed),
        ("/v1/payments", "post", 202, waited),
        ("/v1/payments", "post", 200, decided),
        ("/v1/payments", "get", 200, shop.get("/v1/payments")),
        (one, "get", 200, shop.get(history)),
        (one, "get", 200, shop.get(f"/v1/payments/{declined}?expand=events,attempts")),
        (one, "get", 304, shop.get(history, headers={"If-None-Match": '"3"'})),
        (f"{one}/events", "get", 200, shop.get(f"{history}/events")),
        (f"{one}/attempts", "get", 200, shop.get(f"{history}/attempts")),
        (f"{one}/sync", "post", 202, shop.post(f"{history}/sync")),
        ("/v1/jobs", "get", 200, shop.get("/v1/jobs")),
        ("/v1/jobs/{job_id}", "get", 200, shop.get(f"/v1/jobs/{job}")),
        ("/v1/webhook-endpoints", "post", 201, endpoint),
        ("/v1/webhook-endpoints", "get", 200, shop.get("/v1/webhook-endpoints")),
        (
            "/v1/events/{event_id}/redeliver",
            "post",
            202,
            shop.post(f"/v1/events/evt_{paid.removeprefix('pay_')}_1/redeliver"),
        ),
        ("/v1/webhook-deliveries", "get", 200, shop.get("/v1/webhook-deliveries")),
        ("/v1/webhook-endpoints/{endpoint_id}", "delete", 204, shop.delete(endpoint.headers["Location"])),
        ("/healthz", "get", 200, shop.get("/healthz")),
        ("/readyz", "get", 200, shop.get("/readyz")),
        ("/metrics", "get", 200, shop.get("/metrics")),
    ]:
        assert answer.status_code == status, (path, method, answer.text)
        follows(document, path, method, answer)


def test_every_refusal_is_as_described(api: Api, shop: Merchant) -> None:
    document = shop.get("/openapi.json").json
    body = {"amount": 1, "currency": "USD", "payment_method": CARD}
    path, nobody = "/v1/payments", Merchant("mer_x", "aegis_test_" + "A" * 43, shop.client)
    shop.post_payment(key="used", reference="taken")
    no_payment = "/v1/payments/pay_" + "0" * 32
    for route, method, code, answer in [
        (path, "post", "malformed_json", shop.post_body([])),
        (path, "post", "idempotency_key_missing", shop.post(path, json=body)),
        (path, "post", "invalid_api_key", nobody.post_body(body)),
        (path, "post", "duplicate_reference", shop.post_payment(reference="taken")),
        (path, "post", "payload_too_large", shop.post_payment(description="d" * 70_000)),
        (
            path,
            "post",
            "unsupported_media_type",
            shop.post(path, data=b"{}", headers={"Content-Type": "text/xml"}),
        ),
        (path, "post", "validation_failed", shop.post_payment(amount="1")),
        (path, "post", "idempotency_key_reused", shop.post_payment(key="used")),
        (path, "post", "sensitive_data_rejected", shop.post_payment(reference="4111111111111111")),
        (path, "get", "validation_failed", shop.get(f"{path}?limit=0")),
        ("/v1/payments/{payment_id}", "get", "not_found", shop.get(no_payment)),
        ("/v1/payments/{payment_id}/sync", "post", "not_found", shop.post(f"{no_payment}/sync")),
        ("/v1/jobs/{job_id}", "get", "not_found", shop.get("/v1/jobs/job_1")),
        (
            "/v1/webhook-endpoints",
            "post",
            "webhook_endpoint_refused",
            shop.post("/v1/webhook-endpoints", json={"url": "http://10.0.0.1/"}),
        ),
    ]:
        assert answer.json["code"] == code, answer.text
        follows(document, route, method, answer)
