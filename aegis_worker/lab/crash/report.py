"""What came out, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from aegis_worker.audit.violations import Violation
from aegis_worker.crash_points import POINTS
from aegis_worker.terminal.output import duration, print_table

from .blame import Blame
from .mix import MixResult
from .points import PointResult

_SHOWN = 50


def list_points(json_file: Path | None) -> None:
    """Every point with what stands before and after it."""
    rows = [(name, before, after) for name, (before, after) in POINTS.items()]
    if json_file is None:
        print_table("Crash points", ("point", "what has happened", "what would be next"), rows)
        return
    listed = [{"name": name, "happened": before, "next": after} for name, before, after in rows]
    write_json(json_file, {"points": listed})


def print_points(results: Sequence[PointResult]) -> None:
    """A row per point, and what is wrong."""
    rows = [
        (
            result.name,
            result.kills,
            result.payments,
            ", ".join(f"{state} {count}" for state, count in result.by_state.items()),
            result.in_review,
            duration(result.duration_s),
            len(result.violations),
        )
        for result in results
    ]
    columns = ("point", "kills", "payments", "by state", "in review", "took", "violations")
    print_table("Killed at every point, and what came out", columns, rows)
    print_violations([(result.name, violation) for result in results for violation in result.violations])


def print_blame(blames: Sequence[Blame]) -> None:
    """The hooks and rules that stood in the way; nothing where none did."""
    rows = [
        (blame.source, "broke" if blame.broke else "goes on", blame.in_words(), blame.example or "–")
        for blame in blames[:_SHOWN]
    ]
    if rows:
        print_table(
            "Hooks and rules that failed or stopped payments", ("who", "", "what it did", "for example"), rows
        )


def blame_as_json(blames: Sequence[Blame]) -> dict[str, Any]:
    """The figures of `--json`: who broke, and everybody who failed or stopped payments."""
    return {
        "broke": [blame.source for blame in blames if blame.broke],
        "hooks_and_rules": [
            {
                "source": blame.source,
                "broke": blame.broke,
                "what": blame.in_words(),
                "asked": blame.asked,
                "failed": blame.failed,
                "why": dict(blame.why),
                "stopped": blame.stopped,
                "payments": blame.payments,
                "untold": blame.untold,
                "example": blame.example,
            }
            for blame in blames
        ],
    }


def print_violations(found: Sequence[tuple[str, Violation]]) -> None:
    """Each with its evidence, some of them when there are many."""
    rows = [
        (where, found.invariant, found.payment_id or "–", found.summary, evidence(found.evidence))
        for where, found in found[:_SHOWN]
    ]
    if rows:
        title = (
            f"Violations ({len(found)})" if len(found) <= _SHOWN else f"{_SHOWN} of {len(found)} violations"
        )
        print_table(title, ("at", "invariant", "payment", "what is wrong", "evidence"), rows)


def evidence(facts: Mapping[str, Any]) -> str:
    """In one line."""
    return json.dumps(facts, default=str)


def print_mix(result: MixResult) -> None:
    """What was done, what came out, and what is wrong."""
    rows = [(f"{fault.at_s:.1f}", fault.kind, fault.target or "–", fault.lasts_s) for fault in result.faults]
    print_table(f"Faults of seed {result.seed}", ("at s", "fault", "where", "for s"), rows)
    print_table(
        "Payments",
        ("state", "payments"),
        [*result.by_state.items(), ("all", result.payments), ("of these in review", result.in_review)],
    )
    if result.before and result.after:
        before, after = result.before, result.after
        held: list[tuple[str, int, int]] = [
            ("database connections", before.connections, after.connections),
            ("sessions idle in a transaction", before.idle_in_transaction, after.idle_in_transaction),
            ("jobs held under a lease", before.held_jobs, after.held_jobs),
        ]
        for name, most in before.most_files.items():
            held.append((f"open files of a process of {name}, at most", most, after.most_files[name]))
        print_table("At rest, before and after", ("", "before", "after"), held)
    print_violations([("mix", violation) for violation in result.violations])


def mix_as_json(result: MixResult) -> dict[str, Any]:
    """The figures of `--json`."""
    return {
        "minutes": round(result.seconds / 60, 2),
        "faults": [asdict(fault) for fault in result.faults],
        "payments": result.payments,
        "by_state": result.by_state,
        "in_review": result.in_review,
        "before": asdict(result.before) if result.before else None,
        "after": asdict(result.after) if result.after else None,
        "violations": [violation_as_json(violation) for violation in result.violations],
    }


def points_as_json(results: Sequence[PointResult]) -> dict[str, Any]:
    """The figures of `--json`."""
    return {
        "points": [
            {
                "name": result.name,
                "kills": result.kills,
                "payments": result.payments,
                "by_state": result.by_state,
                "in_review": result.in_review,
                "duration_s": round(result.duration_s, 1),
                "violations": [violation_as_json(violation) for violation in result.violations],
            }
            for result in results
        ],
    }


def violation_as_json(violation: Violation) -> dict[str, Any]:
    """Its evidence is plain JSON already."""
    return {
        "invariant": violation.invariant,
        "payment_id": violation.payment_id,
        "summary": violation.summary,
        "evidence": dict(violation.evidence),
    }


def write_json(file: Path, value: Mapping[str, Any]) -> None:
    """Into the file, or to standard output for `-`."""
    with click.open_file(str(file), "w") as out:
        out.write(json.dumps(value, indent=2, default=str) + "\n")
