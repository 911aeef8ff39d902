"""Runs of reconciliation over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response
from marshmallow import fields

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.documented import Answer, an_object, one_of, text, time
from aegis_api.http.fields import StrictSchema
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.query_fields import page_limit, page_start
from aegis_worker.queries.reconciliations import StoredRun, list_runs
from aegis_worker.views.pages import list_body
from aegis_worker.views.reconciliations import run_body

blueprint = Blueprint(
    "reconciliations",
    __name__,
    url_prefix="/v1/ops",
    description="For operators, across all merchants: do we and the gateways agree?",
)
blueprint.before_request(require_operator)


class RunsQuerySchema(StrictSchema):
    """GET /v1/ops/reconciliations."""

    limit = page_limit()
    starting_after = page_start("rec", "a run")


class RunSchema(Answer):
    """One run: of beat, every quarter of an hour, or of an operator."""

    id = text()
    object = one_of("reconciliation")
    trigger = one_of("beat", "operator")
    dry_run = fields.Boolean(required=True)
    since = time("From when on ended payments were compared with gateways; null where none were.", none=True)
    found = an_object("How many of each kind were found.")
    fixed = an_object("How many of each kind were repaired, or are asked about.")
    mismatches = fields.List(
        fields.Dict(),
        required=True,
        metadata={"description": "Where we and a gateway disagreed; at most 500."},
    )
    started_at = time()
    finished_at = time(none=True)


class RunListSchema(Answer):
    """A page of runs, newest first."""

    data = fields.List(fields.Nested(RunSchema), required=True)
    has_more = fields.Boolean(required=True)
    next_cursor = text("The `starting_after` for the next page; null on the last page.", none=True)


_AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
_RUNS = list_body(
    [
        run_body(
            StoredRun(
                "rec_0199a7c5a0f47d5a8f0e6b1c2d3e4f50",
                "beat",
                False,
                None,
                {"due_jobs": 0, "payments_without_a_job": 0, "in_review": 1},
                {"hints_sent": 0},
                [],
                _AT,
                _AT + timedelta(seconds=1),
            )
        )
    ],
    None,
)


@blueprint.route("/reconciliations")
@refuses("validation_failed")
@blueprint.arguments(RunsQuerySchema(), location="query")
@blueprint.response(200, RunListSchema(), example=_RUNS, headers=headers())
def list_reconciliations(query: dict[str, Any]) -> Response:
    """Runs of reconciliation, newest first

    Each says what it found and what it repaired by itself. `aegis reconcile --since` makes one that compares ended payments
    with what the gateways say.
    """
    with parts().web.database.read() as connection:
        page = list_runs(connection, limit=query["limit"], starting_after=query.get("starting_after"))
    return answer(list_body([run_body(run) for run in page.rows], page.next_cursor))
