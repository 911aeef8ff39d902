"""Answers as they go out: JSON in UTF-8, headers as they are given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Response
from werkzeug.datastructures import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dumps(body: Mapping[str, Any]) -> bytes:
    """The body as it goes out: UTF-8, the fields in the order given."""
    text = _encoder.encode(body)
    # An unpaired surrogate can only come from a refused request's own field name; escaped, it is still JSON.
    return text.encode("utf-8", "backslashreplace")


def answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    content = dumps(body)
    told = _Answer(content, status, headers, content_type="application/json")
    told.headers["Content-Length"] = str(len(content))
    return told


class _Answer(Response):
    """Whole, with headers that go out as they are: werkzeug would look for what it has to escape in them."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """The headers."""
        return self.headers
