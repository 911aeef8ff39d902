"""Routing over HTTP, for operators: read the configuration, and change it while everything runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Response, g

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import Blueprint, headers, refuses, takes
from aegis_api.http.parts import parts
from aegis_api.http.requests import wanted_version
from aegis_api.http.versions import VersionsQuerySchema, checked_document
from aegis_worker.errors import NotFound
from aegis_worker.persistence import routing_versions
from aegis_worker.persistence.versions import Version
from aegis_worker.queries.experiments import outcomes_by_arm
from aegis_worker.queries.past_payments import MOST_PAYMENTS, newest
from aegis_worker.queries.simulation import DEFAULT_SPAN_S, simulate
from aegis_worker.routing import changes
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.config import RoutingConfig, checked_routing
from aegis_worker.views.experiments import experiment_body
from aegis_worker.views.pages import list_body
from aegis_worker.views.routing import routing_body, version_body
from aegis_worker.views.simulations import simulation_body

from . import answer_schemas as answers
from . import examples
from .request_schemas import (
    ExperimentQuerySchema,
    RoutingPutSchema,
    SimulationRequestSchema,
)

# A simulation holds a thread, so it stops after this time, or up to one page of payments later.
_SIMULATION_S = 10.0
_LONGEST_EXPERIMENT = 64
_NO_EXPERIMENT = "There is no such experiment, and there was none in this time."

blueprint = Blueprint(
    "routing",
    __name__,
    url_prefix="/v1/routing",
    description="How gateways are chosen for payments. Needs an operator's key (`aegis keys create --operator`).",
)
blueprint.before_request(require_operator)


@blueprint.route("", methods=["GET"])
@refuses()
@blueprint.response(200, answers.RoutingSchema(), example=examples.ROUTING, headers=headers("ETag"))
def show_routing() -> Response:
    """The routing configuration in force

    Workers use a change within two seconds.
    """
    with parts().web.database.read() as connection:
        held = routing_versions.VERSIONS.newest_version(connection)
    return _routing(held)


@blueprint.route("", methods=["PUT"])
@takes("If-Match")
@refuses(
    "malformed_json",
    "payload_too_large",
    "unsupported_media_type",
    "validation_failed",
    "sensitive_data_rejected",
    "version_conflict",
)
@blueprint.arguments(RoutingPutSchema(), example=examples.ROUTING_PUT)
@blueprint.response(200, answers.RoutingSchema(), example=examples.ROUTING, headers=headers("ETag"))
def put_routing(body: dict[str, Any]) -> Response:
    """Change the routing configuration

    Every worker uses the new configuration within two seconds, without a restart. The whole configuration is checked, and
    each wrong value is named. Each change makes a new version and is kept in the audit log; putting the configuration that
    is already in force changes nothing. Send If-Match, so that the change is refused if somebody else made one first. A
    worker that does not know a gateway in the new configuration keeps using the previous version.
    """
    config = None if body.get("source") == "file" else _checked(body["config"])
    held = changes.put_routing(
        parts().web.database,
        config,
        actor=g.operator.actor,
        reason=body["reason"],
        expected_version=wanted_version(),
    )
    return _routing(held)


def _checked(document: dict[str, Any]) -> RoutingConfig:
    gateways = parts().web.gateways()
    return checked_document(lambda given: checked_routing(given, gateways), document, "invalid_routing")


def _routing(held: Version | None) -> Response:
    web = parts().web
    body = routing_body(held, web.routing_file(), web.gateways())
    return answer(body, 200, {"ETag": f'"{body["version"]}"'})


@blueprint.route("/versions")
@refuses("validation_failed")
@blueprint.arguments(VersionsQuerySchema(), location="query")
@blueprint.response(200, answers.RoutingVersionListSchema(), example=examples.VERSIONS, headers=headers())
def list_routing_versions(query: dict[str, Any]) -> Response:
    """Who changed routing, when and why, newest first

    Each version has the configuration as it was put, and is never changed. To go back to an old version, put its `config`
    again.
    """
    limit: int = query["limit"]
    with parts().web.database.read() as connection:
        found = routing_versions.VERSIONS.history(
            connection, limit=limit + 1, before_version=query.get("starting_after")
        )
    page = found[:limit]
    cursor = str(page[-1].version) if len(found) > limit else None
    return answer(list_body([version_body(version) for version in page], cursor))


@blueprint.route("/simulate", methods=["POST"])
@refuses(
    "malformed_json",
    "payload_too_large",
    "unsupported_media_type",
    "validation_failed",
    "sensitive_data_rejected",
)
@blueprint.arguments(SimulationRequestSchema(), example=examples.SIMULATION_REQUEST)
@blueprint.response(200, answers.SimulationSchema(), example=examples.SIMULATION, headers=headers())
def simulate_routing(body: dict[str, Any]) -> Response:
    """Try a configuration on past payments

    Nothing is sent and nothing is written. A gateway is chosen anew for each payment, using the results that each gateway
    had over the period. The answer compares gateways, success, latency and fees, and lists its assumptions.
    `aegis routing simulate` can take more payments than this route.
    """
    web = parts().web
    gateways = web.gateways()
    config = _checked(body["config"]) if "config" in body else _now()
    since = body.get("since") or _a_week_ago()
    simulated = simulate(
        web.database,
        newest(web.database, since=since, limit=body["limit"]),
        list(gateways.values()),
        config,
        seed=body["seed"],
        budget_s=_SIMULATION_S,
    )
    return answer(simulation_body(simulated))


@blueprint.route(
    "/experiments/<experiment>",
    parameters=[
        {
            "name": "experiment",
            "in": "path",
            "description": "The `experiment` of the current `ab_test` or of an earlier one.",
            "schema": {"type": "string", "maxLength": _LONGEST_EXPERIMENT},
        }
    ],
)
@refuses("validation_failed", "not_found")
@blueprint.arguments(ExperimentQuerySchema(), location="query")
@blueprint.response(200, answers.ExperimentSchema(), example=examples.EXPERIMENT, headers=headers())
def show_experiment(query: dict[str, Any], experiment: str) -> Response:
    """The results of an A/B test

    For each arm, only the first gateway of each payment counts, because a later failover says nothing about the arm.
    """
    if len(experiment) > _LONGEST_EXPERIMENT or not experiment.isprintable():
        raise NotFound(_NO_EXPERIMENT)
    database = parts().web.database
    span = newest(database, since=query.get("since") or _a_week_ago(), limit=MOST_PAYMENTS)
    with database.read() as connection:
        outcomes = outcomes_by_arm(connection, experiment, span)
    body = experiment_body(experiment, _now(), outcomes, span)
    if not body["arms"]:
        raise NotFound(_NO_EXPERIMENT)
    return answer(body)


def _now() -> RoutingConfig:
    """The configuration in force, as far as this process can use it."""
    web = parts().web
    return RoutingBook(web.database, web.routing_file(), web.gateways()).current().config


def _a_week_ago() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=DEFAULT_SPAN_S)
