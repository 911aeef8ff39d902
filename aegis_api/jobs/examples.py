"""Examples of jobs, rendered by the same functions as real answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aegis_worker.queries.jobs import StoredJob
from aegis_worker.views.jobs import job_body
from aegis_worker.views.pages import list_body

_AT = datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC)
_LATER = _AT + timedelta(milliseconds=180)
A_JOB = StoredJob(
    id="job_0199a7c5a0f47d5a8f0e6b1c2d3e4f51",
    payment_id="pay_0199a7c5a0f47d5a8f0e6b1c2d3e4f50",
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
JOB = job_body(A_JOB)
JOBS = list_body([JOB], None)
