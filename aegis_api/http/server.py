"""gunicorn's worker: it answers the server's own errors as problem documents and can close a connection on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from aegis_worker.ids import REQUEST, new_id

from .answers import dumps
from .framing import CLOSE
from .problems import MIMETYPE, outside_body

# The requests that gunicorn refuses before the application sees them. Its parser's other errors mean "not HTTP".
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (errors.InvalidResponseHeader, "internal_error"),
    (errors.InvalidResponseHeaderName, "internal_error"),
    (errors.ConfigurationProblem, "internal_error"),
    (errors.LimitRequestLine, "uri_too_long"),
    (errors.LimitRequestHeaders, "headers_too_large"),
    (errors.ExpectationFailed, "expectation_failed"),
    (errors.ParseException, "bad_request"),
)

Start = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], Start], Iterable[bytes]]


class Worker(ThreadWorker):
    """The gthread worker, whose errors are problem documents."""

    wsgi: Wsgi

    def load_wsgi(self) -> None:
        """Called by gunicorn: load the application and let it close its connection."""
        super().load_wsgi()
        self.wsgi = _closing(self.wsgi)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Called by gunicorn for a request that never reached the application or failed outside of it."""
        code = next((code for kind, code in _CODES if isinstance(exc, kind)), "internal_error")
        if code == "internal_error":
            self.log.exception("Error outside of the application")
        else:
            self.log.info("Request refused: %s", type(exc).__name__)  # not its content, which may be a secret
        _answer(client, code)


def _answer(client: Any, code: str) -> None:
    request_id = new_id(REQUEST)
    problem = outside_body(code, request_id)
    body = dumps(problem)
    head = (
        f"HTTP/1.1 {problem['status']} {problem['title']}\r\nConnection: close\r\nContent-Type: {MIMETYPE}\r\n"
        f"Content-Length: {len(body)}\r\nRequest-Id: {request_id}\r\nX-Content-Type-Options: nosniff\r\n\r\n"
    )
    with suppress(OSError):  # the client may be gone
        util.write_nonblock(client, head.encode("latin-1") + body)


def _closing(application: Wsgi) -> Wsgi:
    def answer(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        response: Any = start_response  # a method of gunicorn's response
        environ[CLOSE] = response.__self__.force_close
        return application(environ, start_response)

    return answer
