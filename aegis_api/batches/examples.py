"""Examples of a batch and of the answer to it."""

from __future__ import annotations

import json

from aegis_api.jobs.examples import A_JOB
from aegis_api.payments.examples import PAYMENT_REQUEST

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
            "payment_id": A_JOB.payment_id,
            "job_id": A_JOB.id,
        },
        {
            "line": 2,
            "idempotency_key": "order-1043",
            "outcome": "refused",
            "problem": {
                "type": "urn:aegispay:problem:duplicate_reference",
                "title": "Another payment carries this reference",
                "status": 409,
                "detail": f"payment {A_JOB.payment_id}, which has not failed, carries this reference",
                "instance": "/v1/payments/batches",
                "code": "duplicate_reference",
                "request_id": "req_0199a7c5a0f47d5a8f0e6b1c2d3e4f54",
                "retryable": False,
                "payment_id": A_JOB.payment_id,
            },
        },
    ],
}
