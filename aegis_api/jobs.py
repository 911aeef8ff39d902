"""Jobs over HTTP: what became of what was accepted."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_worker.errors import NotFound
from aegis_worker.ids import JOB
from aegis_worker.queries import jobs

from . import examples
from .auth import require_merchant
from .openapi import Blueprint, headers, refuses
from .parts import parts
from .representations import answer, job_body, list_body
from .requests import NOTHING_HERE, id_parameter, known_form
from .schemas import answers
from .schemas.queries import JobsQuerySchema

blueprint = Blueprint("jobs", __name__, url_prefix="/v1", description="Asynchronous operations on payments.")
blueprint.before_request(require_merchant)


@blueprint.route("/jobs")
@refuses("validation_failed")
@blueprint.arguments(JobsQuerySchema(), location="query")
@blueprint.response(200, answers.JobListSchema(), example=examples.JOBS, headers=headers())
def list_jobs(query: dict[str, Any]) -> Response:
    """List jobs, newest first

    Filters narrow the list together.
    """
    with parts().web.database.read() as connection:
        page = jobs.list_jobs(connection, g.merchant_id, **query)
    return answer(list_body([job_body(job) for job in page.rows], page.next_cursor))


@blueprint.route("/jobs/<job_id>", parameters=[id_parameter("job_id", JOB, "A job.")])
@refuses("not_found")
@blueprint.response(200, answers.JobSchema(), example=examples.JOB, headers=headers())
def get_job(job_id: str) -> Response:
    """Look at a job

    `succeeded` and `failed` tell whether the operation was carried out to its end; how the payment ended is told by the
    payment.
    """
    with parts().web.database.read() as connection:
        job = jobs.get_job(connection, g.merchant_id, known_form(job_id, JOB))
    if job is None:
        raise NotFound(NOTHING_HERE)
    return answer(job_body(job))
