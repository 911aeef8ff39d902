"""Rules over HTTP, for operators: read them, and change them while everything runs."""

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
from aegis_worker.persistence.rules_versions import VERSIONS
from aegis_worker.persistence.versions import Version
from aegis_worker.queries.past_payments import newest
from aegis_worker.queries.rules_simulation import simulate_rules
from aegis_worker.queries.simulation import DEFAULT_SPAN_S
from aegis_worker.rules.book import RulesBook
from aegis_worker.rules.changes import put_rules
from aegis_worker.rules.config import checked_rules_document
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.views.pages import list_body
from aegis_worker.views.rules import rules_body, version_body
from aegis_worker.views.rules_simulations import rules_simulation_body

from . import answer_schemas as answers
from . import examples
from .request_schemas import RulesPutSchema, RulesSimulationRequestSchema

# A simulation holds a thread, so it stops after this time, or up to one page of payments later.
_SIMULATION_S = 10.0

blueprint = Blueprint(
    "rules",
    __name__,
    url_prefix="/v1/rules",
    description="Rules that screen payments. Needs an operator's key (`aegis keys create --operator`).",
)
blueprint.before_request(require_operator)


@blueprint.route("", methods=["GET"])
@refuses()
@blueprint.response(200, answers.RulesSchema(), example=examples.RULES, headers=headers("ETag"))
def show_rules() -> Response:
    """The rules in force

    Workers use a change within two seconds.
    """
    with parts().web.database.read() as connection:
        held = VERSIONS.newest_version(connection)
    return _rules(held)


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
@blueprint.arguments(RulesPutSchema(), example=examples.RULES_PUT)
@blueprint.response(200, answers.RulesSchema(), example=examples.RULES, headers=headers("ETag"))
def change_rules(body: dict[str, Any]) -> Response:
    """Change the rules

    Every worker uses the new rules within two seconds, without a restart. All of them are checked, and each wrong value is
    named. Each change makes a new version and is kept in the audit log; putting the rules that are already in force changes
    nothing. Send If-Match, so that the change is refused if somebody else made one first. A counter goes on counting where
    what it counts stays the same.
    """
    config = None if body.get("source") == "file" else _checked(body["config"])
    held = put_rules(
        parts().web.database,
        config,
        actor=g.operator.actor,
        reason=body["reason"],
        expected_version=wanted_version(),
    )
    return _rules(held)


def _checked(document: dict[str, Any]) -> RulesConfig:
    return checked_document(checked_rules_document, document, "invalid_rules")


def _rules(held: Version | None) -> Response:
    body = rules_body(held, parts().web.rules_file())
    return answer(body, 200, {"ETag": f'"{body["version"]}"'})


@blueprint.route("/versions")
@refuses("validation_failed")
@blueprint.arguments(VersionsQuerySchema(), location="query")
@blueprint.response(200, answers.RulesVersionListSchema(), example=examples.VERSIONS, headers=headers())
def list_rules_versions(query: dict[str, Any]) -> Response:
    """Who changed the rules, when and why, newest first

    Each version has the rules as they were put, and is never changed. To go back to an old version, put its `config` again.
    """
    limit: int = query["limit"]
    with parts().web.database.read() as connection:
        found = VERSIONS.history(connection, limit=limit + 1, before_version=query.get("starting_after"))
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
        _checked(body["config"])
        if "config" in body
        else RulesBook(web.database, web.rules_file()).current().config
    )
    since = body.get("since") or datetime.now(UTC) - timedelta(seconds=DEFAULT_SPAN_S)
    span = newest(web.database, since=since, limit=body["limit"])
    return answer(rules_simulation_body(simulate_rules(web.database, span, config, budget_s=_SIMULATION_S)))
