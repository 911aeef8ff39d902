"""The meter of a process: adds up in memory what happens, and hands it to the sinks every few seconds.

On the hot path there is one addition under a lock. While no sink is configured there is nothing but a look at a flag.
"""

from __future__ import annotations

import atexit
import os
import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from .table import BUCKETS_S, Metric

log = structlog.get_logger(__name__)

Labels = tuple[str, ...]
# Of a metric and its labels, between two flushes, single values are kept so many: for sinks that know no buckets.
MOST_VALUES = 256
# More than all labels of ours make. What a defect would add beyond that is dropped.
_MOST_SERIES = 20_000
# For how long whoever ends a process waits for a sink that is being told already.
_FLUSH_WITHIN_S = 3.0


@dataclass(slots=True)
class Distribution:
    """Values of a histogram: by bucket, all together, and the first ones as they are. `trace_id`: of one that was traced,
    `traced` its value.
    """

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    sum: float = 0.0
    count: int = 0
    values: list[float] = field(default_factory=list)
    trace_id: str | None = None
    span_id: str | None = None
    traced: float = 0.0

    def add(self, value: float) -> None:
        """One more value."""
        self.buckets[bisect_left(BUCKETS_S, value)] += 1
        self.sum += value
        self.count += 1
        if len(self.values) < MOST_VALUES:
            self.values.append(value)

    def merge(self, other: Distribution) -> None:
        """All of the other's values."""
        self.buckets = [ours + theirs for ours, theirs in zip(self.buckets, other.buckets, strict=True)]
        self.sum += other.sum
        self.count += other.count
        self.values = (self.values + other.values)[:MOST_VALUES]
        if other.trace_id is not None:
            self.trace_id, self.span_id, self.traced = other.trace_id, other.span_id, other.traced


@dataclass(slots=True)
class Batch:
    """What was measured since the last flush."""

    counts: dict[tuple[Metric, Labels], float] = field(default_factory=dict)
    distributions: dict[tuple[Metric, Labels], Distribution] = field(default_factory=dict)
    gauges: dict[tuple[Metric, Labels], float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.counts or self.distributions or self.gauges)

    def merge(self, other: Batch) -> None:
        """All that the other has; it is left as it was."""
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        for key, found in other.distributions.items():
            self.distributions.setdefault(key, Distribution()).merge(found)
        self.gauges |= other.gauges


class Sink(Protocol):
    """Takes what processes measured. `wants_gauges`: also what is asked of the shared state every few seconds."""

    wants_gauges: bool

    def send(self, batch: Batch) -> None:
        """Take the batch; called on one thread. What can't be taken now is kept for later or dropped, and never raises."""


class _Outlet:
    """What one sink is still to be told. A sink that is slow makes no other wait: each is told on a thread of its own."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.begin_anew()

    def begin_anew(self) -> None:
        """With nothing to tell, and locks that nobody holds."""
        self._adding, self._sending = threading.Lock(), threading.Lock()
        self._waiting = Batch()

    def add(self, batch: Batch) -> None:
        """To be told with what waits."""
        with self._adding:
            self._waiting.merge(batch)

    def send(self, within_s: float) -> None:
        """Tell what waits, or leave it where another thread has been telling for `within_s`. Never raises."""
        if not self._sending.acquire(timeout=within_s):
            return
        try:
            with self._adding:
                batch, self._waiting = self._waiting, Batch()
            if batch:
                self._sink.send(batch)
        except Exception:
            log.exception("metrics not sent")
        finally:
            self._sending.release()


class Meter:
    """`increment`, `timing`, `histogram`, `gauge`: labels in the order of the metric's table row. For any thread."""

    def __init__(self) -> None:
        self.on = False
        self._sinks: Sequence[Sink] = ()
        self._outlets: Sequence[_Outlet] = ()
        self._every_s = 5.0
        self._lock = threading.Lock()
        self._batch = Batch()
        self._has_begun = False
        os.register_at_fork(after_in_child=self._begin_anew)

    @property
    def wants_gauges(self) -> bool:
        """Whether a sink has to be told what others read from the shared state."""
        return any(sink.wants_gauges for sink in self._sinks)

    def configure(self, sinks: Sequence[Sink], every_s: float) -> None:
        """Hand what is measured from now on to these sinks."""
        with self._lock:
            self._sinks, self._every_s = sinks, every_s
            self._outlets = [_Outlet(sink) for sink in sinks]
            self._batch, self._has_begun, self.on = Batch(), False, bool(sinks)

    def increment(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Count `by` more."""
        if not self.on:
            return
        key = (metric, labels)
        with self._lock:
            if not self._has_begun:
                self._begin()
            counts = self._batch.counts
            if key in counts or len(counts) < _MOST_SERIES:
                counts[key] = counts.get(key, 0) + by

    def histogram(self, metric: Metric, value: float, *labels: str, traceparent: str | None = None) -> None:
        """One more value. `traceparent`: of its trace, where it has one, as an example of the metric."""
        if not self.on:
            return
        key = (metric, labels)
        with self._lock:
            if not self._has_begun:
                self._begin()
            distributions = self._batch.distributions
            found = distributions.get(key)
            if found is None:
                if len(distributions) >= _MOST_SERIES:
                    return
                found = distributions[key] = Distribution()
            found.add(value)
            if traceparent is not None:
                _, found.trace_id, found.span_id, _ = traceparent.split("-")
                found.traced = value

    # Something took so many seconds.
    timing = histogram

    def gauge(self, metric: Metric, value: float, *labels: str) -> None:
        """It stands at so much now. For sinks that want gauges."""
        if self.on:
            with self._lock:
                if not self._has_begun:
                    self._begin()
                self._batch.gauges[metric, labels] = value

    def flush(self) -> None:
        """Hand over what was measured since the last time. Waits for a sink that is slow for some seconds. Never raises."""
        self._hand_over()
        for outlet in self._outlets:
            outlet.send(_FLUSH_WITHIN_S)

    def _hand_over(self) -> None:
        # One thread at a time, or one outlet could be told of a gauge's older value last.
        with self._lock:
            batch, self._batch = self._batch, Batch()
            if batch:
                for outlet in self._outlets:
                    outlet.add(batch)

    def _begin(self) -> None:
        """Start the threads that hand over: the first to measure in a process does so."""
        self._has_begun = True
        for outlet in self._outlets:
            thread = threading.Thread(target=self._tell_forever, args=(outlet,), name="metrics", daemon=True)
            thread.start()
        atexit.unregister(self.flush)
        atexit.register(self.flush)

    def _begin_anew(self) -> None:
        """After a fork, in the child: threads are not copied, and what the parent counted is its own to tell."""
        self._lock = threading.Lock()
        self._batch, self._has_begun = Batch(), False
        for outlet in self._outlets:
            outlet.begin_anew()

    def _tell_forever(self, outlet: _Outlet) -> None:
        pause = threading.Event()
        while outlet in self._outlets:
            pause.wait(self._every_s)
            self._hand_over()
            outlet.send(self._every_s)


METER = Meter()


def labelled(metric: Metric, labels: Labels) -> Mapping[str, str]:
    """The labels by their names."""
    return dict(zip(metric.labels, labels, strict=True))
