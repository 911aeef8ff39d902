"""Between Granian and the WSGI application: a body is read without a thread, then one of the threads runs the application.

It is an RSGI application, because Granian's own WSGI reads a body in the thread, which nothing can take out of it again
while a client sends nothing; passes on a body that ended early or has bad chunks as if it were whole; and puts the
process's environment, with its secrets, into each environ.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import structlog

from aegis_api.http.answers import dumps
from aegis_api.http.framing import CLOSE
from aegis_api.http.problems import MIMETYPE, outside_body
from aegis_worker.ids import REQUEST, new_id

from .body import Body, Exchange
from .head import Scope, environ_of
from .settings import ServerSettings

log = structlog.get_logger(__name__)

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# A request's coroutine has nothing to do after the answer, so it may end a moment later, together with others. To wake
# the event loop for each would cost more than all else here.
_SWEEP_S = 0.05


@dataclass(slots=True)
class _Request:
    """One request on its way through a thread."""

    exchange: Exchange
    body: Body
    environ: dict[str, Any]
    answered: asyncio.Future[None]
    closes: bool = False
    status: int = 500
    headers: list[tuple[str, str]] | None = None

    def close(self) -> None:
        """Close the connection after the answer."""
        self.closes = True

    def start(self, status: str, headers: list[tuple[str, str]], error: object = None) -> None:
        """WSGI's `start_response`."""
        self.status, self.headers = int(status.split(" ", 1)[0]), headers


class Front:
    """The RSGI application over a WSGI application."""

    def __init__(self, application: Wsgi, settings: ServerSettings) -> None:
        self._application, self._settings = application, settings
        self._ready: SimpleQueue[_Request] = SimpleQueue()
        self._answered: deque[asyncio.Future[None]] = deque()
        self._open = 0
        self._sweep: asyncio.TimerHandle | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by Granian once the process is its own: start the threads."""
        self._loop = loop
        for number in range(self._settings.threads):
            threading.Thread(target=self._work, name=f"request-{number}", daemon=True).start()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Called by Granian for each request."""
        body = Body(exchange, scope.headers, self._loop, self._settings)
        await body.begin()
        request = _Request(exchange, body, environ_of(scope), self._loop.create_future())
        request.environ["wsgi.input"] = body
        request.environ[CLOSE] = request.close
        self._open += 1
        if self._sweep is None:
            self._sweep = self._loop.call_later(_SWEEP_S, self._sweep_up)
        self._ready.put(request)
        await request.answered
        request.environ.clear()  # it refers to the request, and the request to it
        await body.end()

    def _sweep_up(self) -> None:
        while self._answered:
            self._open -= 1
            answered = self._answered.popleft()
            if not answered.done():
                answered.set_result(None)
        self._sweep = self._loop.call_later(_SWEEP_S, self._sweep_up) if self._open else None

    def _work(self) -> None:
        # Not a variable of this loop: while the thread waits for its next request, the last one would be held, and
        # Granian closes a connection whose body is not over only when nobody holds that body.
        while True:
            self._serve(self._ready.get())

    def _serve(self, request: _Request) -> None:
        try:
            body = self._run(request)
            self._answer(request, body)
        except BaseException:  # whatever it is, it may not end the thread or keep the client waiting
            log.exception("Error outside of the application")
            self._answer(request, _failed(request))
        self._answered.append(request.answered)

    def _run(self, request: _Request) -> bytes:
        pieces = self._application(request.environ, request.start)
        try:
            return b"".join(pieces)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def _answer(self, request: _Request, body: bytes) -> None:
        headers = request.headers or []
        if request.closes or not request.body.is_over:
            headers = [*headers, ("Connection", "close")]
        request.exchange.response_bytes(request.status, headers, body)


def _failed(request: _Request) -> bytes:
    request_id = new_id(REQUEST)
    body = dumps(outside_body("internal_error", request_id))
    request.status = 500
    request.headers = [
        ("Content-Type", MIMETYPE),
        ("Content-Length", str(len(body))),
        ("Request-Id", request_id),
        ("Correlation-Id", request_id),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return body
