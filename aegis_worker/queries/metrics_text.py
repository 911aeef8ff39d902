"""The text format of Prometheus: readings of what is shared, and the sums of what processes counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import Metric as Family
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from aegis_worker.observability.metrics.meter import Distribution, Labels
from aegis_worker.observability.metrics.table import BUCKETS_S, Metric

from .metrics import Reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BOUNDS = (*(f"{float(bound):g}" for bound in BUCKETS_S), "+Inf")


class Sums(NamedTuple):
    """What all processes counted together."""

    counts: Mapping[tuple[Metric, Labels], float]
    distributions: Mapping[tuple[Metric, Labels], Distribution]


NO_SUMS = Sums({}, {})


def metrics_text(readings: Iterable[Reading], sums: Sums = NO_SUMS) -> bytes:
    """All of them, each metric once with its samples."""
    families: dict[Metric, CounterMetricFamily | GaugeMetricFamily] = {}
    for metric, labels, value in readings:
        _family(families, metric).add_metric(labels, value)
    for (metric, labels), count in sums.counts.items():
        _family(families, metric).add_metric(labels, count)
    return generate_latest(_Once([*families.values(), *_histograms(sums)]))


def _histograms(sums: Sums) -> Iterable[HistogramMetricFamily]:
    families: dict[Metric, HistogramMetricFamily] = {}
    for (metric, labels), found in sums.distributions.items():
        if metric not in families:
            families[metric] = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        buckets = list(zip(_BOUNDS, accumulate(found.buckets), strict=True))
        families[metric].add_metric(labels, buckets, sum_value=found.sum)
    return families.values()


def _family(
    families: dict[Metric, CounterMetricFamily | GaugeMetricFamily], metric: Metric
) -> CounterMetricFamily | GaugeMetricFamily:
    if metric not in families:
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        families[metric] = kind(metric.name, metric.help, labels=metric.labels)
    return families[metric]


class _Once(Collector):
    """A collector of metrics that exist already."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        """The metrics that were given."""
        return iter(self._families)
