"""The result as a table: a row for each figure, a column for each case, and beside it the earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aegis_worker.terminal.output import print_facts, print_table

from .figures import change, flat, shown

_TITLES = {
    "throughput_per_s": "{unit}s per second",
    "latency_ms": "latency, ms",
    "post_latency_ms": "POST latency, ms",
    "floor": "floor",
    "ratio_to_floor": "ratio to the floor",
    "ratio_to_single": "ratio to single POSTs",
    "ratio_to_alone": "ratio to the payments alone",
    "ratio_to_empty": "ratio to tables that are about empty",
    "last_tenth_to_first": "throughput of the last tenth, ratio to the first",
    "memory_to_before": "memory, ratio to before the round",
    "cpu_ms_per_{unit}": "CPU ms per {unit}",
    "cpu_ms_per_{unit}_without_gateway": "CPU ms per {unit}, without the gateway's own",
    "cpu_ms_by_part": "  of it",
    "commits_per_{unit}": "commits per {unit}",
    "round_trips_per_{unit}": "round trips to PostgreSQL per {unit}",
    "wal_bytes_per_{unit}": "write-ahead log per {unit}, bytes",
    "most_in_flight": "most calls in flight",
    "threads": "threads of the process",
    "memory_mb": "memory of the largest process, MB",
}


def print_result(result: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    """The table and what belongs to it, for a person."""
    columns, rows = table(result, before)
    print_table(f"aegis bench {result['mode']}: median (least – most) of the rounds", columns, rows)
    machine = result["machine"]
    facts = {
        "measured": result["about"],
        "machine": f"{machine['cores']} cores, Python {machine['python']}; a fixed loop took"
        f" {_cell(machine['loop_ms'])} ms",
        "options": ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in result["options"].items()
        ),
        "at": result["at"],
    }
    if before is not None:
        facts["before"] = f"{before['at']}, where the loop took {_cell(before['machine']['loop_ms'])} ms"
    if not _counts_statements(result):
        facts["left out"] = "round trips: this PostgreSQL has no pg_stat_statements"
    print_facts("", facts)


def table(
    result: Mapping[str, Any], before: Mapping[str, Any] | None
) -> tuple[list[str], list[Sequence[str]]]:
    """Columns and rows. A figure that a case doesn't have is a dash."""
    cases = {case: dict(flat(figures)) for case, figures in result["cases"].items()}
    earlier = {case: dict(flat(figures)) for case, figures in before["cases"].items()} if before else {}
    columns = [""]
    for case in cases:
        columns += [case] if before is None else [case, "before"]
    rows: list[Sequence[str]] = []
    for name in dict.fromkeys(name for figures in cases.values() for name in figures):
        row = [label(name, result["unit"])]
        for case, figures in cases.items():
            row.append(_cell(figures[name]) if name in figures else "–")
            if before is not None:
                row.append(_compared(figures.get(name), earlier.get(case, {}).get(name)))
        rows.append(row)
    return columns, rows


def label(name: str, unit: str) -> str:
    """What a figure is called in the table."""
    group, _, rest = name.partition(".")
    titles = {key.format(unit=unit): title.format(unit=unit) for key, title in _TITLES.items()}
    title = titles.get(group, group)
    return f"{title}: {titles.get(rest, rest.replace('.', ' '))}" if rest else title


def _cell(spread: Mapping[str, float]) -> str:
    if spread["min"] == spread["max"]:
        return shown(spread["median"])
    return f"{shown(spread['median'])} ({shown(spread['min'])} – {shown(spread['max'])})"


def _compared(now: Mapping[str, float] | None, before: Mapping[str, float] | None) -> str:
    if now is None or before is None:
        return "–"
    if not before["median"]:
        return shown(0)
    return f"{shown(before['median'])}, now {change(now['median'], before['median'])}"


def _counts_statements(result: Mapping[str, Any]) -> bool:
    return any(name.startswith("round_trips") for figures in result["cases"].values() for name in figures)
