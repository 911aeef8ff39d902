"""The same rounds with many payments in the tables that have ended: whether growth slows anything down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis_worker.terminal.output import progress

from .figures import ratio
from .rig import Rig, new_key
from .seed import seed_finished

# About a second's work, so that the progress bar moves on every second.
_AT_ONCE = 20_000


def fill(rig: Rig, count: int) -> None:
    """Put `count` finished payments into the tables, with their events, jobs, attempts and keys. Raises Stopped."""
    with progress(f"{count:,} payments", count) as step:
        for first in range(0, count, _AT_ONCE):
            some = min(_AT_ONCE, count - first)
            seed_finished(rig.cursor, rig.merchant_id, new_key(), some, told=True)
            rig.go_on()
            step(some)
    # Leave the tables as months of payments would. Otherwise autovacuum would do this while something is measured.
    rig.cursor.execute("VACUUM (ANALYZE)")
    rig.cursor.execute("CHECKPOINT")


def beside(empty: Mapping[str, Any], grown: Mapping[str, Any], existing: int, unit: str) -> dict[str, Any]:
    """A round's cases with next to nothing in the tables, and again with `existing` payments there and the ratio."""
    cases = dict(empty["cases"])
    for case, figures in grown["cases"].items():
        before = empty["cases"].get(case, {})
        cost = f"cpu_ms_per_{unit}"
        ratios = {
            "throughput": ratio(figures.get("throughput_per_s"), before.get("throughput_per_s")),
            "CPU": ratio(figures.get(cost), before.get(cost)),
        }
        cases[f"{case}, {existing:,} there"] = {**figures, "ratio_to_empty": ratios}
    errors = [*empty["errors"], *(f"{error} ({existing:,} there)" for error in grown["errors"])]
    return {"loop_ms": max(empty["loop_ms"], grown["loop_ms"]), "cases": cases, "errors": errors}
