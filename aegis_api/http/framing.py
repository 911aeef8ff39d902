"""How a request stands on its connection (RFC 9112): headers that are given once, one length, and the whole body.

A server hands on much that HTTP forbids, and joins a header that is sent twice with a comma. What can be read in two ways
is refused before anything is done, and the connection is closed where it can't be known where the next request begins.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import structlog
from flask import g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from .problems import RequestRefused

log = structlog.get_logger(__name__)

CLOSE = "aegis.close"
"""Where the server's worker leaves in the environ what has it close the connection after the answer."""

# Authorization is not among them: a key has no comma, so two of them are no key. Prefer and If-None-Match are lists.
_SINGLE = {
    "CONTENT_TYPE": "Content-Type",
    "CONTENT_LENGTH": "Content-Length",
    "HTTP_CONTENT_ENCODING": "Content-Encoding",
    "HTTP_HOST": "Host",
    "HTTP_IF_MATCH": "If-Match",
}
# A shorter body, whose length is known, gunicorn reads away by itself.
_SERVER_READS_ON = 1 << 16
_HALF_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_head() -> None:
    """Before each request: refuse what its head says twice, or what it says in no known way. Raises RequestRefused."""
    environ = request.environ
    for name, header in _SINGLE.items():
        if "," in environ.get(name, ""):
            raise _refused(f"{header} must be given once.", header=header, code="repeated")
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise _refused(
            "The only Transfer-Encoding taken is chunked.", header="Transfer-Encoding", code="not_taken"
        )
    if "HTTP_HOST" not in environ and environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        raise _refused("Send a Host header.", header="Host", code="required")
    if environ.get("HTTP_HOST") and not request.host:  # werkzeug's answer to one that is none
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

    Raises RequestRefused where it is cut short or its chunks are none, or RequestEntityTooLarge.
    """
    g.body = b""
    if not _announces_body():
        return
    announced, longest = request.content_length, request.max_content_length
    if longest is not None:
        # werkzeug stops at the limit of a body without a length and doesn't say whether there is more.
        request.max_content_length = longest + 1
    try:
        body = request.get_data(cache=False)
    except HTTPException:
        close()
        raise
    except Exception as error:  # whatever the server makes of bytes that are no body
        log.info("body not read", error=type(error).__name__)
        raise _refused("The body doesn't follow HTTP: its chunks are wrong, or it ends early.") from error
    if longest is not None and len(body) > longest:
        close()
        raise RequestEntityTooLarge
    if announced is not None and len(body) != announced:
        raise _refused("The body is shorter than its Content-Length.")
    g.body = body


def close_after_unread() -> None:
    """After each request: a body that was not read and that the server doesn't read away ends the connection."""
    if "body" in g or not _announces_body():
        return
    length = request.content_length
    if length is None or length >= _SERVER_READS_ON:
        close()


def close() -> None:
    """Have the connection closed after the answer, and the answer say so."""
    tell_server = request.environ.get(CLOSE)
    if tell_server is not None:
        tell_server()


def _announces_body() -> bool:
    environ = request.environ
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
