"""docs/reference/metrics.md: the table of metrics."""

from __future__ import annotations

from aegis_worker.observability.metrics.table import ALL, BUCKETS_S, Metric, Source

from .markdown import code, codes, table


def of_processes() -> str:
    """Those that each process counts."""
    return _of("processes")


def of_shared_state() -> str:
    """Those that are asked of PostgreSQL and Redis."""
    return _of("shared")


def buckets() -> str:
    """The upper bounds of all histograms."""
    return f"Histograms have the buckets {', '.join(f'{bound:g}' for bound in BUCKETS_S)} s."


def _of(source: Source) -> str:
    rows = [
        (code(metric.shown), metric.kind, codes(metric.labels) or "–", _meaning(metric))
        for metric in ALL
        if metric.source == source
    ]
    return table(("metric", "kind", "labels", "meaning"), rows)


def _meaning(metric: Metric) -> str:
    return f"{metric.help}." + (f" Only with {metric.needs}." if metric.needs else "")
