"""The WSGI application. `python -m aegis_api.server` serves it."""

from __future__ import annotations

import json
from functools import cache

from flask import Flask

from aegis_worker.errors import ConfigurationError
from aegis_worker.intake import Intake
from aegis_worker.intake.validation import Validation
from aegis_worker.observability.refusals import refuse_to_start
from aegis_worker.wiring.web import Web, build_web

from .analytics.routes import blueprint as analytics
from .analytics.routes import operators as analytics_of_all
from .batches.routes import blueprint as batches
from .batches.schemas import BatchLineSchema
from .console.pages import BLUEPRINTS as CONSOLE
from .disputes.routes import blueprint as disputes
from .explanations.routes import blueprint as explanations
from .gateways.incoming import blueprint as gateway_events
from .gateways.pauses import blueprint as pauses
from .gateways.routes import blueprint as gateway_reports
from .health.metrics import blueprint as metrics
from .health.routes import blueprint as health
from .http import docs, openapi, problems, requests
from .http.application import Application
from .http.auth import KnownKeys
from .http.parts import Parts, install
from .http.places import Places
from .jobs.routes import blueprint as jobs
from .ops.approvals import blueprint as approvals
from .ops.figures import blueprint as figures
from .ops.finding import blueprint as finding
from .ops.ordering import blueprint as operator_orders
from .ops.reconciliations import blueprint as reconciliations
from .ops.routes import blueprint as ops
from .ops.webhooks import blueprint as overseen_webhooks
from .orders.routes import blueprint as orders
from .payments.attempts import blueprint as attempts
from .payments.confirming import blueprint as confirms
from .payments.history import blueprint as history
from .payments.method_schemas import PAYMENT_METHODS
from .payments.routes import blueprint as payments
from .routing.routes import blueprint as routing
from .rules.routes import blueprint as rules
from .tokens.card_schemas import CardSchema
from .tokens.routes import blueprint as tokens
from .webhooks.routes import blueprint as webhooks

# The OpenAPI document lists the routes in this order.
_BLUEPRINTS = (
    payments,
    history,
    attempts,
    orders,
    disputes,
    confirms,
    batches,
    tokens,
    explanations,
    analytics,
    jobs,
    webhooks,
    ops,
    approvals,
    operator_orders,
    figures,
    analytics_of_all,
    finding,
    reconciliations,
    overseen_webhooks,
    routing,
    rules,
    pauses,
    gateway_events,
    gateway_reports,
    health,
    metrics,
)
_THREADS = 4
# Schemas that get a name in the document although no operation takes or answers one of them by itself.
_NAMED_SCHEMAS = (CardSchema(), *PAYMENT_METHODS.values(), BatchLineSchema())


@cache
def openapi_document() -> bytes:
    """The OpenAPI document, as JSON.

    Written when it is first asked for, because that takes longer than the rest of a process's start.
    """
    return json.dumps(openapi.document(_BLUEPRINTS, _NAMED_SCHEMAS)).encode()


def _from_environment() -> Web:
    try:
        web = build_web()
        # Every payment is held against them, so a process that can't read them refuses to start.
        web.gateways()
        return web
    except ConfigurationError as error:
        refuse_to_start(error)


def serve_with(app: Flask, parts: Web, *, threads: int = _THREADS) -> None:
    """Make the application use these parts, in place of any that it had before."""
    intake = Intake(parts.database, wait_s=parts.settings.statement_timeout_s)
    validation = Validation(parts.hooks, parts.database)
    waiters, keyless = Places(max(1, threads // 2)), Places(max(1, threads // 4))
    install(app, Parts(parts, intake, validation, KnownKeys(parts.database), waiters, keyless))


def create_app(parts: Web | None = None, *, threads: int = _THREADS) -> Flask:
    """Build the application on the given parts, or on parts made from the environment.

    `threads`: how many of a process run it; at most half of them wait for payments, and a quarter serves requests that
    need no key. Without parts it runs as a server process: if the environment is unusable, the process prints one line that
    says why and exits with 3.
    """
    parts = parts or _from_environment()
    app = Application(__name__)
    app.config["MAX_CONTENT_LENGTH"] = parts.settings.max_body_bytes  # also holds for a chunked body
    app.url_map.merge_slashes = False
    app.url_map.converters.update(requests.CONVERTERS)
    serve_with(app, parts, threads=threads)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    for pages in CONSOLE:
        app.register_blueprint(pages)
    docs.register(app, openapi_document)
    requests.number_requests(app)
    problems.register(app)
    return app
