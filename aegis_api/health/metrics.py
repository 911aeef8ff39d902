"""The metrics that a monitor scrapes."""

from __future__ import annotations

import hmac

from flask import Response, request

from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_worker.errors import DatabaseUnavailable, InvalidApiKey, NotFound
from aegis_worker.persistence.claims import due_by_queue
from aegis_worker.queries.metrics import MOST_DUE, readings
from aegis_worker.queries.metrics_text import CONTENT_TYPE, metrics_text
from aegis_worker.queries.overdue import overdue_numbers
from aegis_worker.queries.people import people_numbers
from aegis_worker.queries.waiting import waiting_numbers

blueprint = Blueprint("metrics", __name__, description="For a monitor such as Prometheus.")

_EXAMPLE = """\
# HELP aegis_gateway_score Health, 0 to 1
# TYPE aegis_gateway_score gauge
aegis_gateway_score{gateway="sandbox_a"} 1.0
# HELP aegis_gateway_breaker_state 1 for the state that the breaker is in
# TYPE aegis_gateway_breaker_state gauge
aegis_gateway_breaker_state{gateway="sandbox_a",operation="process",state="CLOSED"} 1.0
"""


@blueprint.route("/metrics")
@refuses("invalid_api_key", "not_found", "internal_error", security=[{"metricsToken": []}, {}])
@blueprint.response(
    200,
    {"type": "string"},
    content_type=CONTENT_TYPE,
    description="The text format of Prometheus.",
    example=_EXAMPLE,
    headers=headers(),
)
def metrics() -> Response:
    """Gateways, queues, events, webhooks, reviews and disputes, in numbers

    For each gateway: score, breakers, calls of the last hour, latencies, calls under way, and whether it is paused. For
    each queue: due jobs. For each sink: events not delivered yet and their age. Also webhook deliveries by status, reviews
    and their age, payments in doubt, disputes that wait for evidence and the next deadline, what waits for a second person,
    who has an account at the console, and what a chaos plan injected; and, added up over all processes, payments by state,
    how long requests, payments, calls to gateways, webhooks, hooks and tasks took, retries, idempotency keys that were
    repeated or refused, and lost leases. If
    `AEGIS_METRICS_TOKEN` is set, the request must carry it. If it is not set, this route does not exist in production and
    needs no token in any other environment.
    """
    _check_token()
    web = parts().web
    try:
        with web.database.read() as connection:
            due = due_by_queue(connection, limit=MOST_DUE)
            waiting, overdue = waiting_numbers(connection), overdue_numbers(connection)
            people = people_numbers(connection)
        reports = web.gateway_reports()
        found = readings(reports, due, waiting, web.injected(), overdue, web.broker(), people)
    except DatabaseUnavailable:
        found = readings(None, None, broker=web.broker())
    return Response(metrics_text(found, web.sums()), content_type=CONTENT_TYPE)


def _check_token() -> None:
    settings = parts().web.settings
    if not settings.metrics_token:
        if settings.is_production:
            raise NotFound("There are no metrics here until AEGIS_METRICS_TOKEN is set.")
        return
    scheme, _, given = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        given.strip().encode(), settings.metrics_token.encode()
    ):
        raise InvalidApiKey("send Authorization: Bearer and the AEGIS_METRICS_TOKEN of this installation")
