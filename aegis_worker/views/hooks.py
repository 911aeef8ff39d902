"""The JSON form of a hook: what is set for it, and what it did lately."""

from __future__ import annotations

from typing import Any

from aegis_worker.hooks.config import Configured
from aegis_worker.hooks.counts import RAN, SUM_US, End, percentile_ms
from aegis_worker.hooks.points import ABOUT
from aegis_worker.hooks.statistics import HookStatistics


def hook_body(hook: Configured, statistics: HookStatistics | None) -> dict[str, Any]:
    """One hook. `statistics`: of this hour and the one before; None where nobody knows."""
    return {
        "hook": hook.name,
        "object": "hook",
        "point": hook.offered.point.value,
        "asked_by": ABOUT[hook.offered.point].runs,
        "package": hook.offered.package,
        "enabled": hook.enabled,
        "priority": hook.priority,
        "timeout_ms": hook.timeout_ms,
        "on_failure": hook.policy,
        "lately": None if statistics is None else _lately(statistics),
    }


def _lately(statistics: HookStatistics) -> dict[str, Any]:
    counts = statistics.counts
    ran = sum(counts.get(end, 0) for end in RAN)
    return {
        "calls": ran,
        **{end.value: counts.get(end, 0) for end in End},
        "mean_ms": round(counts.get(SUM_US, 0) / 1000 / ran, 3) if ran else None,
        **{f"p{percent}_ms": percentile_ms(counts, percent) for percent in (50, 95, 99)},
        "breaker_open_in_processes": statistics.open_in,
    }
