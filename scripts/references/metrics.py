"""docs/reference/metrics.md: the table of metrics."""

from __future__ import annotations

from aegis_worker.observability.metrics.table import ALL, BUCKETS_S, Source

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
        (code(metric.shown), metric.kind, codes(metric.labels) or "–", f"{metric.help}.")
        for metric in ALL
        if metric.source == source
    ]
    return table(("metric", "kind", "labels", "meaning"), rows)
