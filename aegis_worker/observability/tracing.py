"""Traces by OpenTelemetry, of a share of requests and tasks. While tracing is off, nothing of it is imported or done.

The share is drawn once, where a trace begins: by the caller, whose decision is kept, or by us. What is not traced then has
no `traceparent`, so nothing that follows from it is traced either, at the cost of one comparison. Spans have names, words
of ours and ids as attributes, never a statement, an argument or what somebody sent.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from aegis_worker.errors import ConfigurationError
from aegis_worker.observation_settings import ObservationSettings

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext, Tracer

Kind = Literal["server", "client", "consumer", "internal"]
T = TypeVar("T")
R = TypeVar("R")
Attributes = Mapping[str, str | int | float | bool | None]

_W3C = re.compile(r"(00)-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
# A collector that is slow or away costs memory up to here, and then spans.
_MOST_WAITING, _EVERY_MS, _POST_WITHIN_S = 4096, 1000, 5.0
_MOST_LINKS = 64
# Of callers' traces, so many a second and process.
_MOST_FOLLOWED_PER_S = 100
_NONE: Attributes = {}
_CURRENT: ContextVar[Span | None] = ContextVar("span", default=None)


class Tracing:
    """The traces of one process. For any thread; `current` is the thread's own."""

    def __init__(self) -> None:
        self.on = False
        self._share = 0.0
        self._tracer: Tracer | None = None
        self._provider: Any = None
        self._draw = random.Random()
        self._lock = Lock()
        self._until_s, self._followed = 0.0, 0

    def configure(self, settings: ObservationSettings, resource: Mapping[str, str]) -> None:
        """Trace from now on, where the settings say so. Raises ConfigurationError where OpenTelemetry is not installed."""
        self.close()
        if settings.traces == "off":
            return
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import SpanLimits, TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise ConfigurationError(
                f"AEGIS_TRACES is otlp, which needs pip install aegispay[otel] ({error})"
            ) from error
        exporter = OTLPSpanExporter(
            endpoint=settings.otlp_endpoint.rstrip("/") + "/v1/traces",
            headers=dict(settings.otlp_headers),
            timeout=_POST_WITHIN_S,
        )
        self._provider = TracerProvider(
            resource=Resource(dict(resource)), span_limits=SpanLimits(max_links=_MOST_LINKS)
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=_MOST_WAITING, schedule_delay_millis=_EVERY_MS)
        )
        self._tracer = self._provider.get_tracer("aegispay")
        self._share, self.on = settings.trace_share, True

    def close(self) -> None:
        """Send what is left, and trace no more."""
        self.on = False
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is not None:
            provider.shutdown()

    def flush(self) -> None:
        """Send what is left. Never raises."""
        if self._provider is not None:
            self._provider.force_flush(int(_POST_WITHIN_S * 1000))

    def root(
        self, name: str, kind: Kind, given: str | None = None, attributes: Attributes = _NONE
    ) -> Span | None:
        """The first span of ours in a trace: the caller's, where `given` is a traceparent that is traced, or a new one, of
        the share. None where it is not to be traced.
        """
        if not self.on:
            return None
        parent = None if given is None else _W3C.fullmatch(given)
        if parent is not None and set(parent[2]) != {"0"} and set(parent[3]) != {"0"}:
            wanted = int(parent[4], 16) & 1 and self._may_follow()
            return self.span(name, kind, given, attributes) if wanted else None
        return self._begun(name, kind, None, attributes) if self._draw.random() < self._share else None

    def _may_follow(self) -> bool:
        """Whether one more trace of a caller's may be gone on with: anybody may send a traceparent with each request."""
        with self._lock:
            now_s = time.monotonic()
            if now_s >= self._until_s:
                self._until_s, self._followed = now_s + 1.0, 0
            self._followed += 1
            return self._followed <= _MOST_FOLLOWED_PER_S

    def span(
        self,
        name: str,
        kind: Kind,
        parent: str | Span | None,
        attributes: Attributes = _NONE,
        *,
        began_ns: int | None = None,
        links: Sequence[Span] = (),
    ) -> Span | None:
        """A span below `parent`, which whoever calls this ends. None where that is not traced."""
        if not self.on or parent is None:
            return None
        return self._begun(name, kind, parent, attributes, began_ns, links)

    @property
    def current(self) -> Span | None:
        """The span that this thread works for."""
        return _CURRENT.get()

    def work_for(self, span: Span | None) -> None:
        """From now on this thread works for that span, or for none."""
        _CURRENT.set(span)

    def carried(self, work: Callable[[T], R]) -> Callable[[T], R]:
        """The same work, on whatever thread, for the span that this thread works for."""
        span = self.current
        if span is None:
            return work

        def carrying(about: T) -> R:
            self.work_for(span)
            try:
                return work(about)
            finally:
                self.work_for(None)

        return carrying

    @contextmanager
    def inside(self, name: str, system: str) -> Iterator[None]:
        """A call to a store, where this thread works for a span."""
        about = {"db.system.name": system, "db.operation.name": name}
        span = self.span(name, "client", _CURRENT.get(), about)
        if span is None:
            yield
            return
        try:
            yield
        except BaseException as error:
            failed(span, type(error).__name__)
            raise
        finally:
            span.end()

    def _begun(
        self,
        name: str,
        kind: Kind,
        parent: str | Span | None,
        attributes: Attributes,
        began_ns: int | None = None,
        links: Sequence[Span] = (),
    ) -> Span | None:
        from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, set_span_in_context

        if self._tracer is None:
            return None
        context = None
        if isinstance(parent, str):
            remote = _context_of(parent)
            if remote is None:
                return None
            context = set_span_in_context(NonRecordingSpan(remote))
        elif parent is not None:
            context = set_span_in_context(parent)
        else:
            from opentelemetry.context import Context

            context = Context()
        return self._tracer.start_span(
            name,
            context,
            SpanKind[kind.upper()],
            attributes={key: value for key, value in attributes.items() if value is not None},
            links=[Link(one.get_span_context()) for one in links],
            start_time=began_ns,
        )


TRACING = Tracing()


def traceparent_of(span: Span | None) -> str | None:
    """The span as W3C's Trace Context writes it, for whoever goes on with its trace."""
    if span is None:
        return None
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def failed(span: Span, why: str) -> None:
    """Mark the span as one that went wrong, in a word of ours."""
    from opentelemetry.trace import StatusCode

    span.set_status(StatusCode.ERROR, why)


def since_1970_ns(ago_s: float) -> int:
    """The moment so many seconds ago, as spans count."""
    return time.time_ns() - int(ago_s * 1e9)


def _context_of(traceparent: str) -> SpanContext | None:
    from opentelemetry.trace import SpanContext, TraceFlags

    found = _W3C.fullmatch(traceparent)
    if found is None:
        return None
    return SpanContext(
        int(found[2], 16), int(found[3], 16), is_remote=True, trace_flags=TraceFlags(int(found[4], 16))
    )
