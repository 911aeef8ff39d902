"""Whether this process is alive, and whether it is ready for requests."""

from __future__ import annotations

from flask import Response

from aegis_api.http.answers import answer
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.problems import problem
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.persistence.compatibility import fit

from .schemas import HealthSchema, ReadinessSchema

blueprint = Blueprint(
    "health", __name__, description="For load balancers and supervisors; no API key needed."
)


@blueprint.route("/healthz")
@refuses("internal_error", open_to_all=True)
@blueprint.response(200, HealthSchema(), example={"status": "ok"}, headers=headers())
def healthz() -> Response:
    """Whether the process is alive

    Does not check the database or Redis, because restarting this process would not repair them.
    """
    return answer({"status": "ok"})


@blueprint.route("/readyz")
@refuses("not_ready", "internal_error", open_to_all=True)
@blueprint.response(
    200,
    ReadinessSchema(),
    example={"status": "ready", "checks": {"database": "ok", "schema": "ok", "redis": "ok"}},
    headers=headers(),
)
def readyz() -> Response:
    """Whether the process is ready for requests

    The process is ready if the database answers and its schema is this version's own, or a newer one that still works with
    this version. The state of Redis is reported, but the process is ready without it.
    """
    checks, why = _database_checks()
    checks["redis"] = "ok" if parts().web.redis_ready() else "unreachable"
    if why is None:
        return answer({"status": "ready", "checks": checks})
    return problem("not_ready", why, headers={"Retry-After": "1"}, checks=checks)


def _database_checks() -> tuple[dict[str, str], str | None]:
    """The state of the database and of its schema, and the reason why the process is not ready, or None if it is."""
    try:
        with parts().web.database.read() as connection:
            found = fit(connection)
    except DatabaseUnavailable:
        return {"database": "unreachable", "schema": "unknown"}, "The database can't be reached."
    if found.works:
        return {"database": "ok", "schema": "ok"}, None
    return {"database": "ok", "schema": found.seen}, f"The database's schema is {found.seen}: {found.advice}."
