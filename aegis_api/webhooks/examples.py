"""Examples of webhooks, rendered by the same functions as real answers."""

from __future__ import annotations

from aegis_api.jobs.examples import A_JOB
from aegis_worker.domain.moments import rfc3339
from aegis_worker.domain.transitions import EventType
from aegis_worker.ids import event_id
from aegis_worker.persistence.endpoint_rows import Endpoint
from aegis_worker.persistence.merchant_deliveries import Delivery
from aegis_worker.views.pages import list_body
from aegis_worker.views.webhooks import delivery_body, endpoint_body

ENDPOINT_REQUEST = {
    "url": "https://shop.example/hooks",
    "event_types": ["payment.succeeded", "payment.failed"],
}
_endpoint = endpoint_body(
    Endpoint(
        id="whe_0199a7c5a0f47d5a8f0e6b1c2d3e4f52",
        merchant_id="mer_example",
        mode="test",
        url="https://shop.example/hooks",
        event_types=(EventType.SUCCEEDED, EventType.FAILED),
        secret_version=1,
        created_at=A_JOB.created_at,
        resting_until=None,
        disabled_at=None,
    )
)
_delivery = Delivery(
    id="whd_0199a7c5a0f47d5a8f0e6b1c2d3e4f53",
    endpoint_id=_endpoint["id"],
    payment_id=A_JOB.payment_id,
    seq=3,
    status="delivered",
    tries=1,
    due_at=A_JOB.updated_at,
    created_at=A_JOB.updated_at,
    delivered_at=A_JOB.updated_at,
    log=[{"at": rfc3339(A_JOB.updated_at), "status_code": 204, "error": None, "duration_ms": 12.5}],
)
NEW_ENDPOINT = {**_endpoint, "secret": "whsec_…"}
ENDPOINTS = list_body([_endpoint], None)
DELIVERIES = list_body([delivery_body(_delivery)], None)
REDELIVERY = {"event_id": event_id(A_JOB.payment_id, 3), "deliveries": 1}
