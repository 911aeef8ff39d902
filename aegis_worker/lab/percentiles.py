"""The figures that stand for many latencies."""

from __future__ import annotations

from collections.abc import Sequence

PERCENTS = (50, 95, 99)


def percentiles(values: Sequence[float], digits: int = 1) -> dict[str, float | None]:
    """p50, p95 and p99 by the nearest rank: each is a value that occurred. None of no values."""
    ordered = sorted(values)
    return {
        f"p{percent}": round(ordered[-(-len(ordered) * percent // 100) - 1], digits) if ordered else None
        for percent in PERCENTS
    }
