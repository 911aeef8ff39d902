"""The JSON forms of a job."""

from __future__ import annotations

from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.jobs import StoredJob

from .values import rfc3339_or_none


def accepted_job_body(job_id: str) -> dict[str, Any]:
    """A payment's job as of acceptance. The answer to the POST may depend on nothing else."""
    return {
        "id": job_id,
        "object": "job",
        "operation": "process",
        "status": "queued",
        "links": _job_links(job_id),
    }


def job_body(job: StoredJob) -> dict[str, Any]:
    """A job. `claims` counts how often it was taken up since it last made progress."""
    return {
        "id": job.id,
        "object": "job",
        "payment_id": job.payment_id,
        "operation": job.operation,
        "status": job.status,
        "run_at": rfc3339(job.run_at),
        "claims": job.claim_count,
        "reason": job.reason,
        "review_kind": (job.review_kind or "doubt") if job.status == "review" else None,
        "result": job.result,
        "created_at": rfc3339(job.created_at),
        "updated_at": rfc3339(job.updated_at),
        "finished_at": rfc3339_or_none(job.finished_at),
        "links": {**_job_links(job.id), "payment": f"/v1/payments/{job.payment_id}"},
    }


def _job_links(job_id: str) -> dict[str, str]:
    return {"self": f"/v1/jobs/{job_id}"}
