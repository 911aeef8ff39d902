"""What tests ask of PromQL expressions: which metrics and labels they name."""

from __future__ import annotations

import re

from aegis_worker.observability.metrics.table import ALL, Metric

_STRING = re.compile(r'"[^"]*"')
_SERIES = re.compile(r"\baegis[_:][a-z0-9_:]+")
_SELECTED = re.compile(r"\b(aegis_[a-z0-9_]+)\{([^}]*)\}")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPED = re.compile(r"\b(?:by|without|ignoring|on)\s*\(([^)]*)\)")


def series_of(metric: Metric) -> set[str]:
    """The names of a metric's series, as Prometheus stores them."""
    if metric.kind == "histogram":
        return {f"{metric.name}_{part}" for part in ("bucket", "count", "sum")}
    return {metric.shown}


METRIC_OF = {series: metric for metric in ALL for series in series_of(metric)}


def series_in(query: str) -> set[str]:
    """All series of ours that the query names, those of recording rules too."""
    return set(_SERIES.findall(_STRING.sub("", query)))


def unknown_in(query: str, recorded: frozenset[str]) -> list[str]:
    """What the query names that does not exist: series, and labels that a series or any of them has not."""
    series = series_in(query)
    wrong = sorted(series - METRIC_OF.keys() - recorded)
    for name, matchers in _SELECTED.findall(query):
        known = _labels(name)
        wrong += [
            f"{name}: {label}" for label in _MATCHER.findall(_STRING.sub("", matchers)) if label not in known
        ]
    if not any(name in recorded for name in series):
        known = set().union(*(_labels(name) for name in series))
        grouped = {label.strip() for labels in _GROUPED.findall(query) for label in labels.split(",")}
        wrong += sorted(grouped - known - {"alertname"})
    return wrong


def _labels(series: str) -> set[str]:
    metric = METRIC_OF.get(series)
    if metric is None:
        return set()
    return {*metric.labels, "le"} if series.endswith("_bucket") else set(metric.labels)
