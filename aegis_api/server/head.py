"""The head of a request as Granian gives it, made into a WSGI environ; what it may not hold is noted there."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol

from aegis_api.http.framing import FAULT, UNREADABLE

from .settings import LONGEST_HEADER, LONGEST_LINE, MOST_HEADERS


class Headers(Protocol):
    """Granian's headers: those that came, in lower case. One whose value is not ASCII has a name, but is not an item."""

    def items(self) -> list[tuple[str, str]]:
        """Names and values, in order; a name as often as it came."""

    def __iter__(self) -> Iterator[str]: ...

    def get(self, key: str, default: str | None = None) -> str | None:
        """The first value of this name."""

    def __contains__(self, key: str) -> bool: ...

    def __len__(self) -> int: ...


class Scope(Protocol):
    """Granian's request head (RSGI 1.5). `path` is decoded, and U+FFFD stands in it for what is not UTF-8."""

    http_version: str
    method: str
    path: str
    query_string: str
    server: str
    client: str
    authority: str | None
    headers: Headers


_SHARED: Mapping[str, Any] = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "granian",
    "wsgi.errors": sys.stderr,
    "wsgi.input_terminated": True,
    "wsgi.multiprocess": True,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.url_scheme": "http",
    "wsgi.version": (1, 0),
}
_NOT_UTF8 = "\ufffd"


def environ_of(scope: Scope) -> dict[str, Any]:
    """The WSGI environ without `wsgi.input`. Values of a header that came twice are joined with a comma (PEP 3333).

    Headers with an underscore are left out: under WSGI they could pass for others, such as `PATH_INFO`.
    """
    server, _, port = scope.server.rpartition(":")
    path = scope.path
    environ: dict[str, Any] = {
        **_SHARED,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": path if path.isascii() else path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_PROTOCOL": "HTTP/1.1" if scope.http_version == "1.1" else "HTTP/1.0",
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
    }
    items, longest = scope.headers.items(), 0
    for name, value in items:
        longest = max(longest, len(name) + len(value))
        if "_" not in name:
            key = _key(name)
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    fault = _fault(scope, len(items), longest, environ)
    if fault is not None:
        environ[FAULT] = fault
    if len(scope.headers) > len({name for name, _ in items}):
        environ[UNREADABLE] = {name for name in scope.headers if _key(name) not in environ}
    return environ


def _fault(scope: Scope, headers: int, longest: int, environ: Mapping[str, Any]) -> str | None:
    """The code of the problem with which the application refuses this head, whatever it asks for."""
    if len(scope.path) + len(scope.query_string) > LONGEST_LINE:
        return "uri_too_long"
    if headers > MOST_HEADERS or longest > LONGEST_HEADER:
        return "headers_too_large"
    if environ.get("HTTP_EXPECT", "100-continue").lower() != "100-continue":
        return "expectation_failed"
    if not scope.method.isupper() or _NOT_UTF8 in scope.path:
        return "bad_request"
    return None


@lru_cache(maxsize=256)
def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
