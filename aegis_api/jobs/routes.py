"""Jobs over HTTP: the progress and the end of each accepted operation."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_merchant
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.requests import NOTHING_HERE, id_parameter, known_form
from aegis_worker.errors import NotFound
from aegis_worker.ids import JOB
from aegis_worker.queries import jobs
from aegis_worker.views.jobs import job_body
from aegis_worker.views.pages import list_body

from . import examples
from .schemas import JobListSchema, JobSchema, JobsQuerySchema

blueprint = Blueprint("jobs", __name__, url_prefix="/v1", description="Asynchronous operations on payments.")
blueprint.before_request(require_merchant)


@blueprint.route("/jobs")
@refuses("validation_failed")
@blueprint.arguments(JobsQuerySchema(), location="query")
@blueprint.response(200, JobListSchema(), example=examples.JOBS, headers=headers())
def list_jobs(query: dict[str, Any]) -> Response:
    """List jobs, newest first

    A job is listed if it matches all filters.
    """
    with parts().web.database.read() as connection:
        page = jobs.list_jobs(connection, g.owner, **query)
    return answer(list_body([job_body(job) for job in page.rows], page.next_cursor))


@blueprint.route("/jobs/<job_id>", parameters=[id_parameter("job_id", JOB, "A job.")])
@refuses("not_found")
@blueprint.response(200, JobSchema(), example=examples.JOB, headers=headers())
def get_job(job_id: str) -> Response:
    """Look at a job

    `succeeded` and `failed` tell whether the operation was carried out. They do not tell how the payment ended: look at
    the payment for that.
    """
    with parts().web.database.read() as connection:
        job = jobs.get_job(connection, g.owner, known_form(job_id, JOB))
    if job is None:
        raise NotFound(NOTHING_HERE)
    return answer(job_body(job))
