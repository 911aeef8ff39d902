"""Rules over HTTP, for operators: read them, and change them while everything runs."""

from __future__ import annotations

from typing import Any

from flask import Response

from aegis_api.http.answers import answer
from aegis_api.http.auth import require_operator
from aegis_api.http.openapi import A_BODY, Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.simulating import SIMULATION_S
from aegis_api.http.version_routes import Examples, Told, VersionRoutes
from aegis_worker.queries.past_payments import a_week_ago, newest
from aegis_worker.queries.rules_simulation import simulate_rules
from aegis_worker.rules.book import RulesBook
from aegis_worker.rules.changes import installed_rules
from aegis_worker.views.rules_simulations import rules_simulation_body

from . import answer_schemas as answers
from . import examples
from .request_schemas import RulesPutSchema, RulesSimulationRequestSchema

blueprint = Blueprint(
    "rules",
    __name__,
    url_prefix="/v1/rules",
    description="Rules that screen payments. Needs an operator's key (`aegis keys create --operator`).",
)
blueprint.before_request(require_operator)

_ROUTES = VersionRoutes(
    lambda: installed_rules(parts().web.rules_file()),
    "invalid_rules",
    RulesPutSchema(),
    answers.RulesSchema(),
    answers.RulesVersionListSchema(),
    Examples(examples.RULES_PUT, examples.RULES, examples.VERSIONS),
    show=Told("show_rules", "The rules in force\n\nWorkers use a change within two seconds."),
    change=Told(
        "change_rules",
        """Change the rules

        Every worker uses the new rules within two seconds, without a restart. All of them are checked, and each wrong value
        is named. Each change makes a new version and is kept in the audit log; putting the rules that are already in force
        changes nothing. Send If-Match, so that the change is refused if somebody else made one first. A counter goes on
        counting where what it counts stays the same.
        """,
    ),
    history=Told(
        "list_rules_versions",
        """Who changed the rules, when and why, newest first

        Each version has the rules as they were put, and is never changed. To go back to an old version, put its `config`
        again.
        """,
    ),
)
_ROUTES.add_to(blueprint)


@blueprint.route("/simulate", methods=["POST"])
@refuses(
    *A_BODY,
)
@blueprint.arguments(RulesSimulationRequestSchema(), example=examples.SIMULATION_REQUEST)
@blueprint.response(200, answers.RulesSimulationSchema(), example=examples.SIMULATION, headers=headers())
def simulate(body: dict[str, Any]) -> Response:
    """Try rules on past payments

    Nothing is sent, written or counted. The payments are replayed in the order in which they were accepted, with counters
    that begin empty. The answer says what each rule would have found and what became of those payments without it, and
    lists its assumptions. `aegis rules simulate` can take more payments than this route.
    """
    web = parts().web
    config = (
        _ROUTES.checked(body["config"])
        if "config" in body
        else RulesBook(web.database, web.rules_file()).current().config
    )
    since = body.get("since") or a_week_ago()
    span = newest(web.database, since=since, limit=body["limit"])
    return answer(rules_simulation_body(simulate_rules(web.database, span, config, budget_s=SIMULATION_S)))
