"""The ids that callers give to requests, and the trail that a request leaves on what it brings about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import Request

from aegis_worker.domain.trails import Trail
from aegis_worker.observability.redaction import redact_text
from aegis_worker.observability.tracing import TRACING, failed, traceparent_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_ID = re.compile(r"[A-Za-z0-9._-]{8,128}", re.ASCII)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
# The second is what much software calls it.
_CORRELATION = ("HTTP_CORRELATION_ID", "HTTP_X_CORRELATION_ID")


def own_id(environ: Mapping[str, Any], name: str) -> str | None:
    """The id in this header; None where there is none, or none that may be repeated in answers and logs."""
    given: str | None = environ.get(name)
    if given is None or _ID.fullmatch(given) is None or redact_text(given) != given:
        return None
    return given


def trail_of(environ: Mapping[str, Any], request_id: str, span: Span | None = None) -> Trail:
    """The trail of a request: the caller's own correlation id, or the request's id. `span`: of the request, if traced."""
    given = (own_id(environ, name) for name in _CORRELATION if name in environ)
    return Trail(next(filter(None, given), request_id), traceparent_of(span))


def known_method(method: str) -> str:
    """The method, where it is one of HTTP's: callers may send any word, of which no metric or span may be named."""
    return method if method in _METHODS else "other"


def route_of(request: Request) -> str | None:
    """The route as the OpenAPI document has it; None where there is none. Never the path, in which anything may stand."""
    return None if request.url_rule is None else _documented(request.url_rule.rule)


@lru_cache(maxsize=1024)
def _documented(rule: str) -> str:
    return _PARAMETER.sub(r"{\1}", rule)


def span_of(request: Request) -> Span | None:
    """The span of a request, in its caller's trace or a new one, which the request's thread works for from now on. None
    where it is not traced.
    """
    if not TRACING.on:
        return None
    rule, method = route_of(request), known_method(request.method)
    span = TRACING.root(
        method if rule is None else f"{method} {rule}",
        "server",
        request.environ.get("HTTP_TRACEPARENT"),
        {"http.request.method": method, "http.route": rule},
    )
    TRACING.work_for(span)
    return span


def end_span(span: Span | None, trail: Trail, status: int | None) -> None:
    """The request was answered; `status` None: it was not."""
    if span is None:
        return
    if trail.correlation_id is not None:
        span.set_attribute("aegis.correlation_id", trail.correlation_id)
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if status is None or status >= 500:
        failed(span, "server error")
    TRACING.work_for(None)
    span.end()
