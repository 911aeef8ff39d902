"""Routing and rules: what is in force, a draft that is checked and tried in place, and putting it in force."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_api.http.simulating import SIMULATION_S
from aegis_worker import strict_json
from aegis_worker.errors import AegisError, ConfigurationError, InvalidDocument, NotFound
from aegis_worker.persistence.versions import Version
from aegis_worker.queries.past_payments import a_week_ago, newest
from aegis_worker.queries.rule_hits import rule_hits
from aegis_worker.queries.rules_simulation import simulate_rules
from aegis_worker.queries.simulation import simulate
from aegis_worker.routing.changes import installed_routing
from aegis_worker.routing.config import RoutingConfig
from aegis_worker.rules.changes import installed_rules
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.versioned import Installed
from aegis_worker.views.hooks import hook_body
from aegis_worker.views.rules_simulations import rules_simulation_body
from aegis_worker.views.simulations import simulation_body
from aegis_worker.views.versions import held_body, version_body

from .acting import done_here, go_to, reason_of, told_of
from .blueprint import blueprint
from .flow_picture import SLIM, WIDE, flow_picture
from .login.forms import posted
from .login.guard import person, required
from .typed import version_in

_SHOWN, _TRIED = 20, 5000
_SEED = 1


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of configuration. `tried`: what a configuration would have done with past payments. `beside`: what else its
    page shows.
    """

    name: str
    title: str
    template: str
    installed: Callable[[], Installed[Any]]
    tried: Callable[[Any], Mapping[str, Any]]
    beside: Callable[[], Mapping[str, Any]] = dict


def _installed_routing() -> Installed[RoutingConfig]:
    return installed_routing(parts().web.routing_file(), parts().web.gateways())


def _installed_rules() -> Installed[RulesConfig]:
    return installed_rules(parts().web.rules_file())


def _routing_tried(config: RoutingConfig) -> Mapping[str, Any]:
    web = parts().web
    span = newest(web.database, since=a_week_ago(), limit=_TRIED)
    gateways = list(web.gateways().values())
    body = simulation_body(simulate(web.database, span, gateways, config, seed=_SEED, budget_s=SIMULATION_S))
    return {"body": body, "wide": flow_picture(body, WIDE), "slim": flow_picture(body, SLIM)}


def _rules_tried(config: RulesConfig) -> Mapping[str, Any]:
    database = parts().web.database
    span = newest(database, since=a_week_ago(), limit=_TRIED)
    return {"body": rules_simulation_body(simulate_rules(database, span, config, budget_s=SIMULATION_S))}


def _hits_and_hooks() -> Mapping[str, Any]:
    with parts().web.database.read() as connection:
        hits = rule_hits(connection, datetime.now(UTC) - timedelta(days=1))
    return {"hits": hits, **_hooks()}


def _hooks() -> Mapping[str, Any]:
    """All hooks, with what they did lately where Redis can be asked."""
    try:
        reports = parts().web.hook_reports()
    except ConfigurationError as error:
        return {"hooks": {"unusable": str(error), "data": []}}
    return {"hooks": {"unusable": None, "data": [hook_body(hook, lately) for hook, lately in reports]}}


_KINDS = {
    "routing": _Kind("routing", "Routing", "console/routing.html", _installed_routing, _routing_tried),
    "rules": _Kind("rules", "Rules", "console/rules.html", _installed_rules, _rules_tried, _hits_and_hooks),
}


@blueprint.route("/routing")
def show_routing() -> str:
    """Routing."""
    return _page(_KINDS["routing"], {})


@blueprint.route("/rules")
def show_rules() -> str:
    """Rules."""
    return _page(_KINDS["rules"], {})


@blueprint.route("/<any(routing, rules):name>", methods=["POST"])
@required("operator")
def change_configuration(name: str) -> ResponseReturnValue:
    """Try a draft, put it in force, or have the installation's file hold again."""
    form, kind = posted(), _KINDS[name]
    try:
        config = None if form.get("do") == "file" else _read(kind, form.get("draft", ""))
        if form.get("do") == "try":
            return _page(kind, form, tried=kind.tried(config))
        kind.installed().kind.put(
            parts().web.database,
            config,
            actor=person().actor,
            reason=reason_of(form, least=10),
            expected_version=version_in(form),
        )
    except InvalidDocument as error:
        errors = [{"pointer": each["pointer"], "detail": each["detail"]} for each in error.problems]
        told = {"title": "The draft has mistakes.", "text": "Nothing was changed.", "errors": errors}
        return _page(kind, form, refused=told), 422
    except AegisError as error:
        told, status = told_of(error)
        return _page(kind, form, refused=told), status
    return go_to(f"/console/{name}", "applied")


def _read(kind: _Kind, draft: str) -> Any:
    """The configuration that is written there, as JSON or as TOML. Raises InvalidDocument."""
    return kind.installed().checked(_parsed(draft))


def _parsed(draft: str) -> dict[str, Any]:
    try:
        return strict_json.parse(draft.encode()) if draft.lstrip().startswith("{") else tomllib.loads(draft)
    except (strict_json.MalformedJson, tomllib.TOMLDecodeError) as error:
        raise InvalidDocument([{"pointer": "", "detail": f"is neither JSON nor TOML: {error}"}]) from error


def _page(kind: _Kind, form: Mapping[str, str], **more: Any) -> str:
    installed = kind.installed()
    with parts().web.database.read() as connection:
        history = installed.kind.versions.history(connection, limit=_SHOWN)
    held = held_body(installed, history[0] if history else None)
    in_force = _text(held["config"])
    draft = form["draft"] if "draft" in form else _draft(history, held["config"])
    return render_template(
        kind.template,
        kind=kind,
        held=held,
        draft=draft,
        form=form,
        history=[version_body(installed.kind, version) for version in history],
        difference=_difference(kind, in_force, draft),
        done=done_here(),
        **kind.beside(),
        **more,
    )


def _draft(history: Any, config: Mapping[str, Any]) -> str:
    """What is in force, also with one rule switched on or off; or the version that was asked for."""
    wanted = version_in({"version": request.args.get("from", "")})
    if wanted is None:
        return _text(_switched(config, request.args.get("switch")))
    found: list[Version] = [version for version in history if version.version == wanted]
    if not found or found[0].document is None:
        raise NotFound("There is no such version among the newest, or it has no document of its own.")
    return _text(found[0].document)


def _switched(config: Mapping[str, Any], rule_id: str | None) -> Mapping[str, Any]:
    rules = config.get("rules")
    if rule_id is None or not rules:
        return config
    turned = [
        {**rule, "enabled": not rule["enabled"]} if rule.get("id") == rule_id else rule for rule in rules
    ]
    return {**config, "rules": turned}


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


def _difference(kind: _Kind, before: str, draft: str) -> list[tuple[str, str]]:
    """Lines that differ where the draft holds, with its defaults, and one beside them: each with `-`, `+` or a space.

    Empty for a draft that can't be used.
    """
    try:
        after = _text(kind.installed().kind.document(_read(kind, draft)))
    except InvalidDocument:
        return []
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return [(line[:1], line[1:]) for line in list(lines)[2:] if not line.startswith("@@")]
