"""Traces by OpenTelemetry, of a share of requests and tasks. While tracing is off, nothing of it is imported or done.

The share is drawn once, where a trace begins: by the caller, whose decision is kept, or by us. What is not traced then has
no `traceparent`, so nothing that follows from it is traced either, at the cost of one comparison. Spans have names, words
of ours and ids as attributes, never a statement, an argument or what somebody sent.
"""

from __future__ import annotations

import atexit
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

    from .span_exporter import PostedSpans

Kind = Literal["server", "client", "consumer", "internal"]
T = TypeVar("T")
R = TypeVar("R")
Attributes = Mapping[str, str | int | float | bool | None]

_W3C = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
# A later version may have more after the flags; what it has in common with version 00 is to be read. ff is none.
_LATER = re.compile(r"(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})(?:-.*)?", re.ASCII)
# A collector that is slow or away costs memory up to here, and then spans.
_MOST_WAITING, _EVERY_MS, _END_WITHIN_S = 4096, 1000, 3.0
_MOST_LINKS = 64
# A process goes on with so many traces of callers a second.
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
        self._exporter: PostedSpans | None = None
        self._draw = random.Random()
        self._lock = Lock()
        self._until_s, self._followed = 0.0, 0

    def configure(self, settings: ObservationSettings, resource: Mapping[str, str]) -> None:
        """Trace from now on, where the settings say so. Raises ConfigurationError where OpenTelemetry is not installed."""
        self.close()
        if settings.traces == "off":
            return
        try:
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import SpanLimits, TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor

            from .span_exporter import PostedSpans
        except ImportError as error:
            raise ConfigurationError(
                f"AEGIS_TRACES is otlp, which needs pip install aegispay[otel] ({error})"
            ) from error
        exporter = self._exporter = PostedSpans(settings.otlp_endpoint, settings.otlp_headers)
        self._provider = TracerProvider(
            resource=Resource(dict(resource)), span_limits=SpanLimits(max_links=_MOST_LINKS)
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=_MOST_WAITING, schedule_delay_millis=_EVERY_MS)
        )
        self._tracer = self._provider.get_tracer("aegispay")
        self._share, self.on = settings.trace_share, True
        # Before OpenTelemetry's own end, which would wait for half a minute.
        atexit.unregister(self.end)
        atexit.register(self.end)

    def close(self) -> None:
        """Send what is left, and trace no more."""
        self.on = False
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is not None:
            if self._exporter is not None:
                self._exporter.end_within(_END_WITHIN_S)
            provider.shutdown()

    def flush(self) -> None:
        """Send what is left. Never raises."""
        if self._provider is not None:
            self._provider.force_flush()

    def end(self) -> None:
        """The process ends: send what is left, within some seconds. Never raises."""
        if self._exporter is not None:
            self._exporter.end_within(_END_WITHIN_S)
        self.flush()

    def root(
        self, name: str, kind: Kind, given: str | None = None, attributes: Attributes = _NONE
    ) -> Span | None:
        """The first span of ours in a trace: the caller's, where `given` is a traceparent that is traced, or a new one, of
        the share. None where it is not to be traced.
        """
        if not self.on:
            return None
        parent = None if given is None else _context_of(_as_version_00(given))
        if parent is not None and parent.is_valid:
            wanted = parent.trace_flags.sampled and self._may_follow()
            return self._begun(name, kind, parent, attributes) if wanted else None
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
        """`work` for another thread to do: its spans are below the span that this thread works for now."""
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
        parent: str | SpanContext | Span | None,
        attributes: Attributes,
        began_ns: int | None = None,
        links: Sequence[Span] = (),
    ) -> Span | None:
        from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, set_span_in_context

        if self._tracer is None:
            return None
        context = None
        if isinstance(parent, str):
            parent = _context_of(parent)
            if parent is None:
                return None
        if isinstance(parent, SpanContext):
            context = set_span_in_context(NonRecordingSpan(parent))
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


def _as_version_00(traceparent: str) -> str:
    later = _LATER.fullmatch(traceparent)
    return traceparent if later is None else f"00-{later[1]}"


def _context_of(traceparent: str) -> SpanContext | None:
    from opentelemetry.trace import SpanContext, TraceFlags

    found = _W3C.fullmatch(traceparent)
    if found is None:
        return None
    return SpanContext(
        int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=TraceFlags(int(found[3], 16))
    )
