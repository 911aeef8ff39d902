"""Flask, without what this API has no use for: coroutines, sessions, and looking anew for a route that was just found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from flask.ctx import RequestContext
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface
from flask.typing import ResponseReturnValue
from werkzeug.routing import MapAdapter, Rule

from . import framing
from .parts import asked
from .places import place_without_a_key

# Routes are remembered by what was asked for, and a client may send any Host.
_MOST_REMEMBERED = 256


class Application(Flask):
    """The application that routes are registered with."""

    def __init__(self, name: str) -> None:
        super().__init__(name, static_folder=None)
        self.session_interface = _NoSessions()
        self._found: dict[tuple[str, str, str], tuple[MapAdapter, str, Rule]] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function unchanged. Flask would check, a dozen times a request, whether it is a coroutine."""
        return func

    def request_context(self, environ: dict[str, Any]) -> RequestContext:
        """Called by Flask for each request."""
        return _Context(self, environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the request's route, or, if it was found before, the route itself.

        Only routes without a part that varies are remembered: finding one takes as long as checking a payment's fields.
        """
        if request is None:
            return None  # no URL is ever built outside of a request
        found = self._found.get(_asked_for(request))
        if found is None:
            return super().create_url_adapter(request)
        adapter, request.host, request.url_rule = found
        request.view_args = {}
        return adapter

    def remember_route(self, adapter: MapAdapter, request: Request) -> None:
        """Have the route that was found for this request found at once from now on."""
        asked_for, rule = _asked_for(request), request.url_rule
        if rule is None or request.view_args or not asked_for[0]:
            return
        if len(self._found) >= _MOST_REMEMBERED:
            self._found.clear()
        self._found[asked_for] = adapter, request.host, rule

    @property
    def routes_remembered(self) -> int:
        """How many routes are found at once, at most 256."""
        return len(self._found)

    def make_default_options_response(self) -> Response:
        """Answer OPTIONS with the allowed methods, in the same order in which a 405 lists them."""
        allowed = sorted(request_ctx.url_adapter.allowed_methods())  # type: ignore[union-attr]
        return Response(status=204, headers={"Allow": ", ".join(allowed)})

    def dispatch_request(self) -> ResponseReturnValue:
        """Read the whole body before the route answers, even if the route needs none. The caller is known by now."""
        if asked().routing_exception is not None:
            return super().dispatch_request()
        with place_without_a_key():
            framing.take_body()
            return super().dispatch_request()


class _Context(RequestContext):
    app: Application

    def match_request(self) -> None:
        """Called by Flask once the request has begun."""
        if self.request.url_rule is None and self.url_adapter is not None:
            super().match_request()
            self.app.remember_route(self.url_adapter, self.request)


class _NoSessions(SessionInterface):
    """No route keeps anything about a client in cookies."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """The same one for all."""
        return self._none


def _asked_for(request: Request) -> tuple[str, str, str]:
    """Host, method and path; without a host for what is not remembered: a request for a WebSocket has other routes."""
    environ = request.environ
    host = "" if "HTTP_UPGRADE" in environ else environ.get("HTTP_HOST", "")
    return host, environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
