"""What counters and histograms stand at before anything was counted: 0, for labels that are known beforehand.

A monitor takes the first value that it sees of a series for its beginning. A series that appears with its first failure
would hide that failure from every alert on an increase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from aegis_worker.observability.metrics.meter import Distribution, Labels
from aegis_worker.observability.metrics.table import ALL, HOOK_ENDS, HOOKS, Metric

from .metrics_text import Sums


def from_zero(sums: Sums, gateways: Iterable[str]) -> Sums:
    """The sums, and 0 for what they lack. `gateways`: those that are configured."""
    names = tuple(gateways)
    known = [(metric, labels) for metric in ALL for labels in _known(metric, names)]
    # Each hook that a process has loaded has counts.
    known += [(HOOKS, labels[:2]) for metric, labels in sums.counts if metric is HOOK_ENDS]
    counts = {key: 0.0 for key in known if key[0].kind == "counter"}
    distributions = {key: Distribution() for key in known if key[0].kind == "histogram"}
    return Sums(counts | dict(sums.counts), distributions | dict(sums.distributions))


def _known(metric: Metric, gateways: tuple[str, ...]) -> Iterator[Labels]:
    if metric.source != "processes":
        return
    begins = {"gateway": gateways, **metric.begins}
    yield from product(*(begins.get(label, ()) for label in metric.labels))
