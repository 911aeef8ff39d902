"""Webhook endpoints of all merchants: their health, what is dead, posting again, and a test event."""

from __future__ import annotations

from typing import Any

from flask import render_template
from flask.typing import ResponseReturnValue

from aegis_api.http.parts import parts
from aegis_api.http.requests import known_form
from aegis_worker.delivery.webhooks.overseeing import redeliver_any, send_test_event
from aegis_worker.errors import AegisError
from aegis_worker.ids import ENDPOINT, parse_event_id
from aegis_worker.persistence.delivery_lag import lag
from aegis_worker.queries.webhooks import MOST_COUNTED, list_dead, list_endpoints
from aegis_worker.views.webhooks import delivery_body, endpoint_health_body, tried_body
from aegis_worker.wiring.delivery import webhook_sender

from .acting import done_here, go_to, told_of
from .addresses import cursor
from .blueprint import blueprint
from .login.guard import person, required

_SHOWN = 50


@blueprint.route("/webhooks")
def show_webhooks() -> str:
    """All of it."""
    return _page()


@blueprint.route("/webhooks/<endpoint_id>/test", methods=["POST"])
@required("operator")
def try_endpoint(endpoint_id: str) -> ResponseReturnValue:
    """Post a test event, and show what the endpoint answered."""
    web = parts().web
    try:
        tried = send_test_event(
            web.database,
            webhook_sender(web.settings),
            web.settings,
            known_form(endpoint_id, ENDPOINT),
            actor=person().actor,
        )
    except AegisError as error:
        told, status = told_of(error)
        return _page(refused=told), status
    return _page(tried=tried_body(tried))


@blueprint.route("/events/<event_id>/redeliver", methods=["POST"])
@required("operator")
def redeliver_event(event_id: str) -> ResponseReturnValue:
    """Have an event posted again, and go back to its payment."""
    web, place = parts().web, parse_event_id(event_id)
    try:
        made = redeliver_any(web.database, known_form(event_id, "evt"), actor=person().actor)
    except AegisError as error:
        told, status = told_of(error)
        return _page(refused=told), status
    web.hints.notify("webhooks")
    page = f"/console/payments/{place[0]}" if place else "/console/webhooks"
    return go_to(page, "redelivered" if made.deliveries else "nobody")


def _page(**more: Any) -> str:
    after, before = cursor("after"), cursor("before")
    with parts().web.database.read() as connection:
        endpoints = list_endpoints(connection, limit=_SHOWN + 1, starting_after=after)
        dead = list_dead(connection, limit=_SHOWN + 1, starting_after=before)
        waiting = lag(connection)
    return render_template(
        "console/webhooks.html",
        endpoints=[endpoint_health_body(endpoint) for endpoint in endpoints[:_SHOWN]],
        more_endpoints=endpoints[_SHOWN - 1].id if len(endpoints) > _SHOWN else None,
        dead=[delivery_body(delivery) for delivery in dead[:_SHOWN]],
        more_dead=dead[_SHOWN - 1].id if len(dead) > _SHOWN else None,
        waiting=waiting,
        most=MOST_COUNTED,
        after=after,
        before=before,
        done=done_here(),
        **more,
    )
