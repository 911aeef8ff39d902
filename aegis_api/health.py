"""Whether this process lives, and whether it may be sent requests."""

from __future__ import annotations

from functools import cache

from flask import Response

from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.persistence import migrate

from .openapi import Blueprint, headers, refuses
from .parts import parts
from .problems import problem
from .representations import answer
from .schemas import answers

blueprint = Blueprint(
    "health", __name__, description="For load balancers and supervisors; no API key needed."
)

_needed_revision = cache(migrate.head_revision)


@blueprint.route("/healthz")
@refuses("internal_error", open_to_all=True)
@blueprint.response(200, answers.HealthSchema(), example={"status": "ok"}, headers=headers())
def healthz() -> Response:
    """Does the process live?

    Asks nothing of the database or Redis: restarting this process would not mend them.
    """
    return answer({"status": "ok"})


@blueprint.route("/readyz")
@refuses("not_ready", "internal_error", open_to_all=True)
@blueprint.response(
    200,
    answers.ReadinessSchema(),
    example={"status": "ready", "checks": {"database": "ok", "schema": "ok", "redis": "ok"}},
    headers=headers(),
)
def readyz() -> Response:
    """May it be sent requests?

    It needs the database, with the schema at the revision of this code. Redis is told but not needed.
    """
    checks = {**_database_checks(), "redis": "ok" if parts().web.redis_ready() else "unreachable"}
    if checks["database"] == checks["schema"] == "ok":
        return answer({"status": "ready", "checks": checks})
    detail = "The database can't be reached, or its schema is not the one of this code: `aegis migrate`."
    return problem("not_ready", detail, headers={"Retry-After": "1"}, checks=checks)


def _database_checks() -> dict[str, str]:
    try:
        with parts().web.database.read() as connection:
            revision = migrate.current_revision(connection)
    except DatabaseUnavailable:
        return {"database": "unreachable", "schema": "unknown"}
    needed = _needed_revision()
    return {"database": "ok", "schema": "ok" if revision == needed else f"at {revision}, needs {needed}"}
