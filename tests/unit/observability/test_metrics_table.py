"""The table of metrics: names by Prometheus's conventions, and each of them measured somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis_worker.observability.metrics import table
from aegis_worker.observability.metrics.table import ALL, BUCKETS_S, BY_NAME, Metric

ROOT = Path(__file__).parents[3]
# Labels whose values only what is configured, routes and words of ours bound.
_LABELS = {
    "error",
    "gateway",
    "hook",
    "injection",
    "kind",
    "method",
    "operation",
    "outcome",
    "point",
    "queue",
    "reason",
    "role",
    "route",
    "share",
    "sink",
    "state",
    "status",
    "task",
}


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_name_follows_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"aegis(_[a-z]+)+", metric.name)
    assert not metric.name.endswith("_total")
    assert metric.kind != "histogram" or metric.name.endswith("_seconds")
    assert set(metric.labels) <= _LABELS
    assert not metric.help.endswith(".")


def test_no_two_have_one_name() -> None:
    assert len(BY_NAME) == len(ALL) > 40
    assert list(BUCKETS_S) == sorted(BUCKETS_S)


def test_each_of_them_is_measured_somewhere() -> None:
    names = {name: value for name, value in vars(table).items() if isinstance(value, Metric)}
    code = "\n".join(
        path.read_text()
        for package in ("aegis_worker", "aegis_api")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "table.py"
        and ("metrics.table import" in (text := path.read_text()) or "table." in text)
    )
    assert [name for name in names if not re.search(rf"\b{name}\b", code)] == []
