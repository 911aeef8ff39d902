"""What was explored, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import to_builtins

from aegis_worker.terminal.output import duration, print_table, remark

from .search import Explored
from .setups import Configuration


def print_configurations(configurations: Sequence[Configuration]) -> None:
    """What can be explored."""
    rows = [(one.name, one.operation, one.about) for one in configurations]
    print_table("Configurations", ("name", "operation", "gateway a"), rows)


def configurations_as_json(configurations: Sequence[Configuration]) -> dict[str, Any]:
    """The same."""
    listed = [{"name": one.name, "operation": one.operation, "about": one.about} for one in configurations]
    return {"configurations": listed}


def print_explored(explored: Sequence[Explored]) -> None:
    """A row for each exploration, and what each end was."""
    rows = [
        (
            one.configuration,
            one.faults,
            f"{one.sequences:,}" if one.sequences else "–",
            f"{one.states:,}",
            f"{one.transitions:,}",
            one.depth or "–",
            duration(one.seconds),
            "yes" if one.complete else "no",
            f"{one.marked:,}",
            len(one.found),
        )
        for one in explored
    ]
    columns = (
        "configuration", "faults", "lives", "states", "moves", "longest", "took", "complete", "judged apart", "violations",
    )  # fmt: skip
    print_table("Explored", columns, rows)
    if any(one.marked for one in explored):
        remark(
            "Judged apart: ends that no client can rule out. A charge too many has to be found, and given back."
        )


def explored_as_json(explored: Sequence[Explored]) -> dict[str, Any]:
    """All of it, the moves of what was found too."""
    return {"explored": to_builtins(explored)}
