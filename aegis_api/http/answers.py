"""Writes answers: JSON in UTF-8, headers exactly as the route gives them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Response
from werkzeug.datastructures import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dumps(body: Mapping[str, Any]) -> bytes:
    """The body as JSON in UTF-8, its fields in the order given."""
    text = _encoder.encode(body)
    # Only the name of a field in a refused request can hold an unpaired surrogate. Escaped, it is still valid JSON.
    return text.encode("utf-8", "backslashreplace")


def answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    content = dumps(body)
    about = {**(headers or {}), "Content-Type": "application/json", "Content-Length": str(len(content))}
    return _Answer(content, status, Headers(about))


class _Answer(Response):
    """A complete answer that goes out unchanged. It skips werkzeug's search for characters to escape in headers."""

    def __init__(self, content: bytes, status: int, headers: Headers) -> None:
        self._pieces = [content]
        super().__init__(self._pieces, status, headers)

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """Return the headers unchanged."""
        return self.headers

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Return the content by itself, because nothing is to be closed after it."""
        return () if environ["REQUEST_METHOD"] == "HEAD" else self._pieces
