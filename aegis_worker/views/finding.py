"""The JSON form of a payment in a list for operators: whose it is, and the job that it waits for."""

from __future__ import annotations

from typing import Any

from aegis_worker.queries.jobs import StoredJob
from aegis_worker.queries.payments import StoredPayment

from .jobs import job_body
from .payments import payment_body


def found_body(stored: StoredPayment, job: StoredJob | None) -> dict[str, Any]:
    """A payment of any merchant. `job`: its open one, or None."""
    return {
        **payment_body(stored.payment, stored.created_at, stored.updated_at),
        "merchant_id": stored.payment.merchant_id,
        "job": job and job_body(job),
    }
