"""`aegis explore --plant NAME`: take a guard away, and see with how few faults the explorer finds that it is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from msgspec import Struct

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.search import Search
from aegis_worker.lab.plants import PLANTS, Plant, planted
from aegis_worker.terminal.output import print_table

from .file import Story, written


class FoundOut(Struct, frozen=True):
    """What the explorer came to. `story`: None where it found nothing. `states` and `seconds`: of all that it explored."""

    plant: Plant
    story: Story | None
    states: int
    seconds: float


def found_out(plant: Plant, until: Callable[[], bool] = lambda: False) -> FoundOut:
    """Explore the configuration in which the fault shows, with ever more faults up to those that it takes."""
    begun, states = time.monotonic(), 0
    with planted((plant.name,), in_model=True):
        for faults in range(plant.faults + 1):
            search = Search(CONFIGURATIONS[plant.shown_in], faults)
            search.run(until)
            states += search.explored.states
            if search.explored.found:
                found = search.explored.found[0]
                story = Story(
                    found.configuration,
                    found.operation,
                    faults,
                    tuple(found.moves),
                    tuple(found.violations),
                    (plant.name,),
                )
                return FoundOut(plant, story, states, time.monotonic() - begun)
    return FoundOut(plant, None, states, time.monotonic() - begun)


def show_planted(names: Sequence[str], story_file: Path | None) -> int:
    """Print what was found, one line a fault; returns the command's exit code: 1 where one was not found."""
    results = [found_out(PLANTS[name]) for name in names]
    print_table(
        "Guards that were taken away, and the faults (N) with which that was found",
        ("guard", "configuration", "N", "moves", "states", "seconds", "breaks"),
        [_row(result) for result in results],
    )
    stories = [result.story for result in results if result.story is not None]
    if story_file is not None and stories:
        story_file.write_text(written(stories[0]))
        click.echo(f"The story of {names[0]} is in {story_file}: aegis explore --replay {story_file}")
    return 0 if len(stories) == len(results) else 1


def _row(result: FoundOut) -> tuple[str | int | float, ...]:
    story = result.story
    return (
        result.plant.name,
        result.plant.shown_in,
        "-" if story is None else story.faults,
        "-" if story is None else len(story.moves),
        result.states,
        round(result.seconds, 1),
        "nothing was found" if story is None else "; ".join(story.violations),
    )
