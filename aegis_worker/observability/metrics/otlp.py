"""OTLP over HTTP: what this process measured since it began, with examples of traces beside the buckets.

Needs `pip install aegispay[otel]`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import structlog
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    Exemplar,
    Gauge,
    Histogram,
    HistogramDataPoint,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric as Told
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from aegis_worker.observability.posting import Poster

from .meter import Batch, Distribution, Labels
from .table import BUCKETS_S, Metric

log = structlog.get_logger(__name__)

_TIMEOUT_S = 3.0


class Otlp:
    """Posts to a collector. What one post loses is in the next, because sums are told since the process began."""

    wants_gauges = True

    def __init__(self, endpoint: str, headers: Mapping[str, str], resource: Mapping[str, str]) -> None:
        self._poster = Poster(endpoint.rstrip("/") + "/v1/metrics", headers)
        self._resource = Resource(attributes=_attributes(resource.items()))
        self._began_ns = time.time_ns()
        self._counts: dict[tuple[Metric, Labels], float] = {}
        self._distributions: dict[tuple[Metric, Labels], Distribution] = {}
        self._is_away = False

    def send(self, batch: Batch) -> None:
        """See `meter.Sink`."""
        for key, count in batch.counts.items():
            self._counts[key] = self._counts.get(key, 0) + count
        for key, found in batch.distributions.items():
            self._distributions.setdefault(key, Distribution()).merge(found)
        body = self._request(batch.gauges).SerializeToString()
        refused = self._poster.post(body, _TIMEOUT_S)
        if refused is not None and not self._is_away:
            log.warning("metrics not sent to the collector", error=refused.reason)
        self._is_away = refused is not None

    def _request(self, gauges: Mapping[tuple[Metric, Labels], float]) -> ExportMetricsServiceRequest:
        now_ns = time.time_ns()
        told: dict[Metric, Told] = {}
        for (metric, labels), count in self._counts.items():
            point = self._number(metric, labels, count, now_ns)
            _told(told, metric).sum.data_points.append(point)
        for (metric, labels), value in gauges.items():
            point = self._number(metric, labels, value, now_ns)
            of_it = _told(told, metric)
            (of_it.sum if metric.kind == "counter" else of_it.gauge).data_points.append(point)
        for (metric, labels), found in self._distributions.items():
            _told(told, metric).histogram.data_points.append(self._point(metric, labels, found, now_ns))
        scope = ScopeMetrics(scope=InstrumentationScope(name="aegispay"), metrics=told.values())
        return ExportMetricsServiceRequest(
            resource_metrics=[ResourceMetrics(resource=self._resource, scope_metrics=[scope])]
        )

    def _number(self, metric: Metric, labels: Labels, value: float, now_ns: int) -> NumberDataPoint:
        return NumberDataPoint(
            attributes=_of(metric, labels),
            start_time_unix_nano=self._began_ns,
            time_unix_nano=now_ns,
            as_double=value,
        )

    def _point(self, metric: Metric, labels: Labels, found: Distribution, now_ns: int) -> HistogramDataPoint:
        point = HistogramDataPoint(
            attributes=_of(metric, labels),
            start_time_unix_nano=self._began_ns,
            time_unix_nano=now_ns,
            count=found.count,
            sum=found.sum,
            bucket_counts=found.buckets,
            explicit_bounds=BUCKETS_S,
        )
        if found.trace_id is not None and found.span_id is not None:
            point.exemplars.append(
                Exemplar(
                    time_unix_nano=now_ns,
                    as_double=found.traced,
                    trace_id=bytes.fromhex(found.trace_id),
                    span_id=bytes.fromhex(found.span_id),
                )
            )
        return point


def _told(told: dict[Metric, Told], metric: Metric) -> Told:
    if metric not in told:
        unit = "s" if metric.name.endswith("_seconds") else "1"
        about = Told(name=metric.name, description=metric.help, unit=unit)
        cumulative = AGGREGATION_TEMPORALITY_CUMULATIVE
        if metric.kind == "counter":
            about.sum.CopyFrom(Sum(aggregation_temporality=cumulative, is_monotonic=True))
        elif metric.kind == "histogram":
            about.histogram.CopyFrom(Histogram(aggregation_temporality=cumulative))
        else:
            about.gauge.CopyFrom(Gauge())
        told[metric] = about
    return told[metric]


def _of(metric: Metric, labels: Labels) -> list[KeyValue]:
    return _attributes(zip(metric.labels, labels, strict=True))


def _attributes(pairs: Iterable[tuple[str, str]]) -> list[KeyValue]:
    return [KeyValue(key=name, value=AnyValue(string_value=value)) for name, value in pairs]
