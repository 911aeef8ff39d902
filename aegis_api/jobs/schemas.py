"""Schemas of jobs, for requests and answers."""

from __future__ import annotations

from marshmallow import fields

from aegis_api.http.documented import Answer, an_object, one_of, text, time, whole
from aegis_api.http.fields import OneOf, StrictSchema, Text
from aegis_api.http.query_fields import page_limit, page_start
from aegis_worker.domain.reviews import REVIEW_KINDS

JOB_OPERATIONS = ("process", "capture", "hold", "void", "refund", "sync")
JOB_STATUSES = ("queued", "running", "waiting", "succeeded", "failed", "review")


class JobLinksSchema(Answer):
    """The URLs of the job and its payment."""

    self = text()
    payment = text(required=False)


class AcceptedJobSchema(Answer):
    """The job that carries out the payment, as it was at acceptance. With `Prefer: wait`, as GET /v1/jobs/{id} shows it."""

    id = text()
    object = one_of("job")
    operation = one_of("process")
    status = one_of(*JOB_STATUSES)
    links = fields.Nested(JobLinksSchema, required=True)


class JobSchema(Answer):
    """One asynchronous operation on one payment."""

    id = text()
    object = one_of("job")
    payment_id = text()
    operation = one_of(*JOB_OPERATIONS)
    status = one_of(
        *JOB_STATUSES,
        description=(
            "review: a person has to decide about the payment; a sync makes the job run again, unless nothing was sent yet."
        ),
    )
    run_at = time("No worker takes the job up before this time.")
    claims = whole("How often a worker has taken the job up since it last made progress.")
    reason = text("Why the job waits, failed or is in review.", none=True)
    review_kind = text(
        "Of a job in review: doubt (what happened at a gateway has to be found out) or fraud (nothing was sent yet, and a "
        "person says whether it may be). Otherwise null.",
        none=True,
        enum=[*REVIEW_KINDS, None],
    )
    result = an_object("The result of the operation; null if there is none yet.", none=True)
    created_at = time()
    updated_at = time()
    finished_at = time(none=True)
    links = fields.Nested(JobLinksSchema, required=True)


class JobAnswerSchema(Answer):
    """The job that was created, or whose next run was brought forward."""

    job = fields.Nested(JobSchema, required=True)


class JobListSchema(Answer):
    """A page of jobs, newest first."""

    data = fields.List(fields.Nested(JobSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)


class JobsQuerySchema(StrictSchema):
    """GET /v1/jobs."""

    limit = page_limit()
    starting_after = page_start("job", "a job")
    status = OneOf(frozenset(JOB_STATUSES), "a job status")
    review_kind = OneOf(
        frozenset(REVIEW_KINDS),
        "doubt or fraud",
        metadata={"description": "Only jobs in review, of this kind."},
    )
    payment_id = Text(64, pattern=r"pay_[0-9a-f]{32}", form="the id of a payment")
