"""The ids that callers give to requests, and the trail that a request leaves on what it brings about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aegis_worker.domain.trails import Trail
from aegis_worker.observability.redaction import redact_text

_ID = re.compile(r"[A-Za-z0-9._-]{8,128}", re.ASCII)
# The second is what much software calls it.
_CORRELATION = ("HTTP_CORRELATION_ID", "HTTP_X_CORRELATION_ID")


def own_id(environ: Mapping[str, Any], name: str) -> str | None:
    """The id in this header; None where there is none, or none that may be repeated in answers and logs."""
    given: str | None = environ.get(name)
    if given is None or _ID.fullmatch(given) is None or redact_text(given) != given:
        return None
    return given


def trail_of(environ: Mapping[str, Any], request_id: str) -> Trail:
    """The trail of a request: the caller's own correlation id, or the request's id."""
    given = (own_id(environ, name) for name in _CORRELATION if name in environ)
    return Trail(next(filter(None, given), request_id))
