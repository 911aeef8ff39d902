"""Posts spans to a collector. OpenTelemetry's own exporter bounds each read of an answer by itself, so a collector that
answers a byte at a time would hold it, and the end of the process, for hours.

Needs `pip install aegispay[otel]`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from threading import Event

import structlog
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from .posting import NotTaken, Poster

log = structlog.get_logger(__name__)

_WITHIN_S, _PAUSE_S = 3.0, 1.0


class PostedSpans(SpanExporter):
    """A post that fails for now is made again for some seconds; then its spans are dropped. A line tells of the first."""

    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        self._poster = Poster(endpoint.rstrip("/") + "/v1/traces", headers)
        self._ends_at_s: float | None = None
        self._ended = Event()
        self._is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Post them. Called by one thread at a time."""
        refused = self._posted(encode_spans(spans).SerializeToString())
        if refused is not None and not self._is_away:
            log.warning("spans not sent to the collector", error=refused.reason)
        self._is_away = refused is not None
        return SpanExportResult.SUCCESS if refused is None else SpanExportResult.FAILURE

    def end_within(self, seconds: float) -> None:
        """The process ends: from now on all posts together take so long at most."""
        self._ends_at_s = time.monotonic() + seconds
        self._ended.set()

    def _posted(self, body: bytes) -> NotTaken | None:
        until_s = time.monotonic() + _WITHIN_S
        if self._ends_at_s is not None:
            until_s = min(until_s, self._ends_at_s)
        while True:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return NotTaken("no time is left", for_now=False)
            refused = self._poster.post(body, left_s)
            if refused is None or not refused.for_now or until_s - time.monotonic() <= _PAUSE_S:
                return refused
            if self._ended.wait(_PAUSE_S):
                return refused
