"""The WSGI application: `gunicorn 'aegis_api.app:create_app()'`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue

from aegis_worker.bootstrap import Web, web
from aegis_worker.errors import ConfigurationError
from aegis_worker.observability.refusals import refuse_to_start

from . import (
    batches,
    docs,
    explanations,
    framing,
    gateway_reports,
    gateways,
    health,
    jobs,
    metrics,
    openapi,
    ops,
    pauses,
    payments,
    problems,
    requests,
    routing,
    webhooks,
)
from .auth import KnownKeys
from .parts import Parts, install
from .waiting import Waiters


class _Application(Flask):
    """Flask without its look, a dozen times a request, at whether a function of ours is a coroutine: none is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return func

    def make_default_options_response(self) -> Response:
        """What OPTIONS is answered: the methods, in the order in which a refused one is told them."""
        allowed = sorted(request_ctx.url_adapter.allowed_methods())  # type: ignore[union-attr]
        return Response(status=204, headers={"Allow": ", ".join(allowed)})

    def dispatch_request(self) -> ResponseReturnValue:
        """Whoever asks is known by now: read the whole body, also where no route needs it, then let the route answer."""
        if request.routing_exception is None:
            framing.take_body()
        return super().dispatch_request()


def _from_environment() -> Web:
    try:
        return web()
    except ConfigurationError as error:
        refuse_to_start(error)


def serve_with(app: Flask, parts: Web) -> None:
    """Have the application work with these parts, and with none of those that it had before."""
    install(app, Parts(web=parts, known_keys=KnownKeys(parts.database), waiters=Waiters()))


def create_app(parts: Web | None = None) -> Flask:
    """The application on the given parts, or on those that the environment describes.

    Without parts it is a server that calls: where the environment can't work, that ends with 3 and one line says why.
    """
    parts = parts or _from_environment()
    app = _Application(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = parts.settings.max_body_bytes  # also holds for a body sent in chunks
    app.url_map.merge_slashes = False
    app.url_map.converters["payment"] = requests.PaymentInPath
    serve_with(app, parts)
    api = openapi.document(app)
    for blueprint in (
        payments.blueprint,
        batches.blueprint,
        explanations.blueprint,
        jobs.blueprint,
        webhooks.blueprint,
        ops.blueprint,
        routing.blueprint,
        pauses.blueprint,
        gateways.blueprint,
        gateway_reports.blueprint,
        health.blueprint,
        metrics.blueprint,
    ):
        api.register_blueprint(blueprint)
    docs.register(app, api)
    requests.number_requests(app)
    problems.register(app)
    return app
