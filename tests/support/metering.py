"""What this process measures, kept for a test in place of a sink."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aegis_worker.observability.metrics.meter import METER, Batch, Labels
from aegis_worker.observability.metrics.table import BY_NAME, Metric


class Counted:
    """A sink that adds up."""

    wants_gauges = False

    def __init__(self) -> None:
        self._counts: dict[tuple[Metric, Labels], float] = {}

    def send(self, batch: Batch) -> None:
        """See `meter.Sink`."""
        measured = {key: found.count for key, found in batch.distributions.items()}
        for key, count in {**batch.counts, **measured}.items():
            self._counts[key] = self._counts.get(key, 0) + count

    def timed(self, name: str, *labels: str) -> float:
        """How often it was counted or timed by now."""
        METER.flush()
        return self._counts.get((BY_NAME[name], labels), 0)

    def series(self, name: str, *first: str) -> dict[Labels, float]:
        """What was counted by now under these first labels, by the labels after them."""
        METER.flush()
        return {
            labels[len(first) :]: count
            for (metric, labels), count in self._counts.items()
            if metric is BY_NAME[name] and labels[: len(first)] == first
        }


@contextmanager
def metering() -> Iterator[Counted]:
    """For the time of the block, this process measures for the test alone."""
    counted = Counted()
    METER.configure((counted,), 300.0)
    try:
        yield counted
    finally:
        METER.configure((), 300.0)
