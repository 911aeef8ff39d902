"""How a request is framed on its connection (RFC 9112): headers sent once, one length, the whole body.

The server passes on much that HTTP forbids, and joins a header that is sent twice with a comma. A request that can be
read in two ways is refused before anything is done. If nobody can tell where the next request begins, the connection
is closed.

What the server sees and WSGI has no place for stands in the environ under the keys here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import structlog
from flask import g
from werkzeug.exceptions import RequestEntityTooLarge

from .parts import asked
from .problems import PROBLEMS, RequestRefused

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = structlog.get_logger(__name__)

CLOSE = "aegis.close"
"""A function that closes the connection after the answer."""

FAULT = "aegis.fault"
"""The code of the problem with which a head is refused, whatever it asks for."""

UNREADABLE = "aegis.unreadable"
"""The names, in lower case, of headers whose value is not ASCII: the server leaves these out."""


class BodyLate(Exception):
    """The server's `wsgi.input` raises it: the body didn't come in time."""


class BodyBroken(Exception):
    """The server's `wsgi.input` raises it: the body ended early, or its chunks don't follow HTTP."""


# Authorization is not in this set: a key has no comma, so two joined keys are an invalid key. Prefer and
# If-None-Match are lists and may be sent twice.
_SINGLE = {
    "CONTENT_TYPE": "Content-Type",
    "CONTENT_LENGTH": "Content-Length",
    "HTTP_CONTENT_ENCODING": "Content-Encoding",
    "HTTP_HOST": "Host",
    "HTTP_IF_MATCH": "If-Match",
}
_MUST_BE_READABLE = {"content-encoding", "host", "idempotency-key", "if-match"}
_FAULTS = {
    "bad_request": "The method must be in capitals, and the path UTF-8.",
    "expectation_failed": "The only expectation that can be met is 100-continue.",
}
_HALF_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_head() -> None:
    """Before each request: refuse headers that are sent twice and framing that is unknown. Raises RequestRefused."""
    request = asked()
    environ = request.environ
    if fault := environ.get(FAULT):
        close()
        raise RequestRefused(fault, _FAULTS.get(fault, f"{PROBLEMS[fault].title}."))
    unreadable = environ.get(UNREADABLE)
    for name in sorted(_MUST_BE_READABLE & unreadable) if unreadable else ():
        raise _refused("Must be ASCII.", header=name.title(), code="invalid_format")
    for name, header in _SINGLE.items():
        if "," in environ.get(name, ""):
            raise _refused(f"{header} must be given once.", header=header, code="repeated")
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise _refused(
            "The only Transfer-Encoding taken is chunked.", header="Transfer-Encoding", code="not_taken"
        )
    if "HTTP_HOST" not in environ and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise _refused("Send a Host header.", header="Host", code="required")
    if environ.get("HTTP_HOST") and not request.host:  # werkzeug gives "" for an invalid host
        raise _refused("Must be a host, with a port or without.", header="Host", code="invalid_format")
    query = environ.get("QUERY_STRING", "")
    if query and not _is_escaped_utf8(query):
        raise RequestRefused(
            "bad_request", "The query must be UTF-8, and each % begin an escape such as %2B."
        )
    if not _is_utf8(environ.get("PATH_INFO", "").encode("latin-1")):
        raise RequestRefused("bad_request", "The path must be UTF-8.")


def take_body() -> None:
    """Read the request's whole body, of up to `request.max_content_length` bytes, into `g.body`.

    Raises RequestRefused if the body is late, cut short or its chunks are malformed, and RequestEntityTooLarge.
    """
    request = asked()
    if not announces_body():
        g.body = b""
        return
    announced, longest = request.content_length, request.max_content_length
    assert longest is not None
    if announced is not None and announced > longest:
        close()
        raise RequestEntityTooLarge
    try:
        body = _read(request.environ, announced, longest)
    except BodyLate as error:
        log.info("body not read", error=type(error).__name__, waited=str(error))
        close()
        raise RequestRefused("request_timeout", "The body didn't come in time; nothing was done.") from error
    except Exception as error:  # whatever a server raises for a malformed body
        log.info("body not read", error=type(error).__name__)
        raise _refused("The body doesn't follow HTTP: its chunks are wrong, or it ends early.") from error
    if len(body) > longest:
        close()
        raise RequestEntityTooLarge
    if announced is not None and len(body) != announced:
        raise _refused("The body is shorter than its Content-Length.")
    g.body = body


def _read(environ: WSGIEnvironment, announced: int | None, longest: int) -> bytes:
    """One byte more than the longest body, if there is more. Our own server gives all of that to one call, and its end."""
    # Under any other, nothing may be read beyond the announced length (PEP 3333).
    size = longest + 1 if "wsgi.input_terminated" in environ else announced or 0
    body: bytes = environ["wsgi.input"].read(size)
    return body


def close() -> None:
    """Close the connection after the answer, and announce that in the answer."""
    tell_server = asked().environ.get(CLOSE)
    if tell_server is not None:
        tell_server()


def announces_body() -> bool:
    """Whether the request says that it has a body."""
    environ = asked().environ
    return "HTTP_TRANSFER_ENCODING" in environ or environ.get("CONTENT_LENGTH", "") not in ("", "0")


def _refused(detail: str, *, header: str = "", code: str = "") -> RequestRefused:
    close()
    errors = [{"header": header, "code": code, "detail": detail}] if header else []
    return RequestRefused("bad_request", detail, errors)


def _is_escaped_utf8(query: str) -> bool:
    return _HALF_ESCAPE.search(query) is None and _is_utf8(unquote_to_bytes(query.encode("latin-1")))


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
