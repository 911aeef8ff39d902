"""The sink behind /metrics: sums of all processes in Redis, which any web process reads.

A process adds what it counted since the last time, in one round trip, so a process that ends takes at most some seconds
along, and there is nothing to clean up after it. Sums of seconds are kept in microseconds, as integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import structlog
from redis import Redis, RedisError

from .meter import Batch, Distribution, Labels
from .table import BY_NAME, Metric

log = structlog.get_logger(__name__)

_KEY = "aegis:metrics"
# Sums are forgotten once no process has added to any for so long.
_KEPT_S = 30 * 86_400
_BETWEEN = "\x1f"
_SUM = "s"


class SharedSums:
    """Adds to the sums. What can't be added is added with the next batch."""

    wants_gauges = False

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._left: dict[str, int] = {}
        self._is_away = False

    def send(self, batch: Batch) -> None:
        """See `meter.Sink`."""
        for name, more in _fields(batch):
            self._left[name] = self._left.get(name, 0) + more
        if not self._left:
            return
        pipeline = self._redis.pipeline(transaction=True)
        for name, more in self._left.items():
            pipeline.hincrby(_KEY, name, more)
        pipeline.expire(_KEY, _KEPT_S)
        try:
            pipeline.execute()
        except RedisError as error:
            if not self._is_away:
                log.warning("metrics not added yet", error=f"{type(error).__name__}: {error}")
            self._is_away = True
            return
        self._left, self._is_away = {}, False


def read_sums(
    redis: Redis,
) -> tuple[dict[tuple[Metric, Labels], float], dict[tuple[Metric, Labels], Distribution]]:
    """Counts and distributions over all processes. Raises RedisError. Names that are no metric here are left out."""
    counts: dict[tuple[Metric, Labels], float] = {}
    distributions: dict[tuple[Metric, Labels], Distribution] = {}
    for name, value in cast("dict[bytes, bytes]", redis.hgetall(_KEY)).items():
        metric_name, *labels = name.decode().split(_BETWEEN)
        metric = BY_NAME.get(metric_name)
        if metric is None:
            continue
        place = labels.pop() if metric.kind == "histogram" else ""
        if len(labels) != len(metric.labels):
            continue
        key = metric, tuple(labels)
        if metric.kind == "counter":
            counts[key] = int(value)
            continue
        distribution = distributions.setdefault(key, Distribution())
        if place == _SUM:
            distribution.sum = int(value) / 1e6
        else:
            distribution.buckets[int(place)] = int(value)
            distribution.count += int(value)
    return counts, distributions


def _fields(batch: Batch) -> Iterator[tuple[str, int]]:
    for (metric, labels), count in batch.counts.items():
        yield _BETWEEN.join((metric.name, *labels)), round(count)
    for (metric, labels), found in batch.distributions.items():
        yield _BETWEEN.join((metric.name, *labels, _SUM)), round(found.sum * 1e6)
        for place, count in enumerate(found.buckets):
            if count:
                yield _BETWEEN.join((metric.name, *labels, str(place))), count
