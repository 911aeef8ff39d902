"""Routing over HTTP, for operators: read the configuration, and change it while everything runs."""

from __future__ import annotations

from typing import Any

from flask import Response

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import A_BODY, Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.simulating import SIMULATION_S
from aegis_api.http.version_routes import Examples, Told, VersionRoutes
from aegis_worker.errors import NotFound
from aegis_worker.queries.experiments import outcomes_by_arm
from aegis_worker.queries.past_payments import MOST_PAYMENTS, a_week_ago, newest
from aegis_worker.queries.simulation import simulate
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.changes import installed_routing
from aegis_worker.routing.config import RoutingConfig
from aegis_worker.views.experiments import experiment_body
from aegis_worker.views.simulations import simulation_body

from . import answer_schemas as answers
from . import examples
from .request_schemas import (
    ExperimentQuerySchema,
    RoutingPutSchema,
    SimulationRequestSchema,
)

_LONGEST_EXPERIMENT = 64
_NO_EXPERIMENT = "There is no such experiment, and there was none in this time."

blueprint = Blueprint(
    "routing",
    __name__,
    url_prefix="/v1/routing",
    description="How gateways are chosen for payments. Needs an operator's key (`aegis keys create --operator`).",
)
blueprint.before_request(require_operator)

_ROUTES = VersionRoutes(
    lambda: installed_routing(parts().web.routing_file(), parts().web.gateways()),
    "invalid_routing",
    RoutingPutSchema(),
    answers.RoutingSchema(),
    answers.RoutingVersionListSchema(),
    Examples(examples.ROUTING_PUT, examples.ROUTING, examples.VERSIONS),
    show=Told(
        "show_routing", "The routing configuration in force\n\nWorkers use a change within two seconds."
    ),
    change=Told(
        "put_routing",
        """Change the routing configuration

        Every worker uses the new configuration within two seconds, without a restart. The whole configuration is checked,
        and each wrong value is named. Each change makes a new version and is kept in the audit log; putting the
        configuration that is already in force changes nothing. Send If-Match, so that the change is refused if somebody
        else made one first. A worker that does not know a gateway in the new configuration keeps using the previous
        version.
        """,
    ),
    history=Told(
        "list_routing_versions",
        """Who changed routing, when and why, newest first

        Each version has the configuration as it was put, and is never changed. To go back to an old version, put its
        `config` again.
        """,
    ),
)
_ROUTES.add_to(blueprint)


@blueprint.route("/simulate", methods=["POST"])
@refuses(
    *A_BODY,
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
    config = _ROUTES.checked(body["config"]) if "config" in body else _now()
    since = body.get("since") or a_week_ago()
    simulated = simulate(
        web.database,
        newest(web.database, since=since, limit=body["limit"]),
        list(gateways.values()),
        config,
        seed=body["seed"],
        budget_s=SIMULATION_S,
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
    span = newest(database, since=query.get("since") or a_week_ago(), limit=MOST_PAYMENTS)
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
