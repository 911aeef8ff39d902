"""Examples in the OpenAPI document, rendered by the same functions as real answers, so that they can't drift apart."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aegis_worker.domain.money import Money
from aegis_worker.domain.payment import Payment, initiated
from aegis_worker.domain.transitions import EventType, State
from aegis_worker.ids import event_id
from aegis_worker.persistence.delivery_rows import Delivery
from aegis_worker.persistence.endpoint_rows import Endpoint
from aegis_worker.queries.history import StoredAttempt, StoredEvent
from aegis_worker.queries.jobs import StoredJob

from .representations import (
    accepted_job_body,
    attempt_body,
    delivery_body,
    endpoint_body,
    event_body,
    job_body,
    list_body,
    moment,
    payment_body,
)

_AT = datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC)
_LATER = _AT + timedelta(milliseconds=180)
_PAYMENT_ID, _JOB_ID = "pay_0199a7c5a0f47d5a8f0e6b1c2d3e4f50", "job_0199a7c5a0f47d5a8f0e6b1c2d3e4f51"
_GATEWAY_REF = "ch_8c1f"

PAYMENT_REQUEST = {
    "amount": 1999,
    "currency": "USD",
    "payment_method": {"type": "card", "token": "tok_visa", "network": "visa"},
    "reference": "order-1042",
    "customer": {"id": "cus_117", "email": "asha@shop.example", "country": "IN"},
    "description": "Two tickets",
    "metadata": {"cart": "c-81", "items": 2},
}

_asked = Payment(
    id=_PAYMENT_ID,
    merchant_id="mer_example",
    amount=Money(1999, "USD"),
    capture_method="automatic",
    payment_method={"type": "card", "token": "tok_visa", "network": "visa"},
    reference="order-1042",
    customer={"id": "cus_117", "email": "asha@shop.example", "country": "IN"},
    description="Two tickets",
    metadata={"cart": "c-81", "items": 2},
)
AN_INITIATED_PAYMENT, (_first,) = _asked.record([initiated(_asked)])
_succeeded = replace(
    AN_INITIATED_PAYMENT,
    state=State.SUCCESS,
    version=3,
    gateway="sandbox_a",
    gateway_ref=_GATEWAY_REF,
    authorized_minor=1999,
    captured_minor=1999,
)
A_JOB = StoredJob(
    id=_JOB_ID,
    payment_id=_PAYMENT_ID,
    merchant_id="mer_example",
    operation="process",
    queue="payments",
    status="succeeded",
    run_at=_AT,
    claim_count=0,
    reason=None,
    result={"state": "SUCCESS"},
    created_at=_AT,
    updated_at=_LATER,
    finished_at=_LATER,
)
AN_ATTEMPT = StoredAttempt(
    payment_id=_PAYMENT_ID,
    operation="process",
    number=1,
    gateway="sandbox_a",
    status="APPROVED",
    gateway_ref=_GATEWAY_REF,
    outcome={"gateway_ref": _GATEWAY_REF},
    decision={"candidates": ["sandbox_a", "sandbox_b"]},
    sends=1,
    checks=0,
    not_found_count=0,
    latency_ms=41.7,
    sent_at=_AT,
    answered_at=_LATER,
    last_checked_at=None,
)

PAYMENT = payment_body(_succeeded, _AT, _LATER)
JOB = job_body(A_JOB)
JOB_ANSWER = {"job": JOB}
ACCEPTED = {**payment_body(AN_INITIATED_PAYMENT, _AT, _AT), "job": accepted_job_body(_JOB_ID)}
DECIDED = {**PAYMENT, "job": JOB}
BATCH_REQUEST = "".join(
    json.dumps({"idempotency_key": key, **PAYMENT_REQUEST, "reference": key}) + "\n"
    for key in ("order-1042", "order-1043")
)
BATCH = {
    "object": "batch",
    "accepted": 1,
    "replayed": 0,
    "refused": 1,
    "data": [
        {
            "line": 1,
            "idempotency_key": "order-1042",
            "outcome": "accepted",
            "payment_id": _PAYMENT_ID,
            "job_id": _JOB_ID,
        },
        {
            "line": 2,
            "idempotency_key": "order-1043",
            "outcome": "refused",
            "problem": {
                "type": "urn:aegispay:problem:duplicate_reference",
                "title": "Another payment carries this reference",
                "status": 409,
                "detail": f"payment {_PAYMENT_ID}, which has not failed, carries this reference",
                "instance": "/v1/payments/batches",
                "code": "duplicate_reference",
                "request_id": "req_0199a7c5a0f47d5a8f0e6b1c2d3e4f54",
                "retryable": False,
                "payment_id": _PAYMENT_ID,
            },
        },
    ],
}
PAYMENTS = list_body([PAYMENT], _PAYMENT_ID)
JOBS = list_body([JOB], None)
EVENTS = list_body(
    [event_body(StoredEvent(_PAYMENT_ID, _first.seq, EventType(_first.type), _first.data, _AT))], None
)
ATTEMPTS = list_body([attempt_body(AN_ATTEMPT)], None)

ENDPOINT_REQUEST = {
    "url": "https://shop.example/hooks",
    "event_types": ["payment.succeeded", "payment.failed"],
}
_endpoint = endpoint_body(
    Endpoint(
        id="whe_0199a7c5a0f47d5a8f0e6b1c2d3e4f52",
        merchant_id="mer_example",
        url="https://shop.example/hooks",
        event_types=(EventType.SUCCEEDED, EventType.FAILED),
        secret_version=1,
        created_at=_AT,
        resting_until=None,
        disabled_at=None,
    )
)
_delivery = Delivery(
    id="whd_0199a7c5a0f47d5a8f0e6b1c2d3e4f53",
    endpoint_id=_endpoint["id"],
    payment_id=_PAYMENT_ID,
    seq=3,
    status="delivered",
    tries=1,
    due_at=_LATER,
    created_at=_LATER,
    delivered_at=_LATER,
    log=[{"at": moment(_LATER), "status_code": 204, "error": None, "duration_ms": 12.5}],
)
NEW_ENDPOINT = {**_endpoint, "secret": "whsec_…"}
ENDPOINTS = list_body([_endpoint], None)
DELIVERIES = list_body([delivery_body(_delivery)], None)
REDELIVERY = {"event_id": event_id(_PAYMENT_ID, 3), "deliveries": 1}
