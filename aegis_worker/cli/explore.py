"""`aegis explore`: every interleaving of a payment's life with at most so many faults, by the product's own decisions."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import click

from aegis_worker.gateways.gateways_file import load_adapters
from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.own import at_gateways, with_settings
from aegis_worker.lab.explore.report import (
    configurations_as_json,
    explored_as_json,
    print_configurations,
    print_explored,
)
from aegis_worker.lab.explore.search import Explored, Found
from aegis_worker.lab.explore.setups import Configuration
from aegis_worker.lab.explore.together import Task, explore_all
from aegis_worker.lab.local.stopping import stop_on_signals
from aegis_worker.lab.plants import PLANTS
from aegis_worker.lab.stories.command import replay
from aegis_worker.lab.stories.file import Story, written
from aegis_worker.lab.stories.planted import show_planted
from aegis_worker.settings import load_settings
from aegis_worker.terminal.output import examples, print_json, progress, remark

_OPERATIONS = sorted({one.operation for one in CONFIGURATIONS.values()})


@click.command(
    name="explore",
    epilog=examples(
        """
        aegis explore --list
        aegis explore --faults 1
        aegis explore --operation charge --faults 2 --minutes 60 --resume explored
        aegis explore --own --gateways stripe,adyen --faults 1
        aegis explore --plant no-fence --story no-fence.json
        aegis explore --replay no-fence.json
        """
    ),
)
@click.option("--list", "listing", is_flag=True, help="Show the configurations and exit.")
@click.option(
    "--operation", "operations", multiple=True, type=click.Choice(_OPERATIONS), help="Only of this operation."
)
@click.option(
    "--configuration", "names", multiple=True, type=click.Choice(list(CONFIGURATIONS)), help="Only this one."
)
@click.option(
    "--faults",
    type=click.IntRange(0, 3),
    default=1,
    show_default=True,
    help="At most so many faults in a life.",
)
@click.option("--minutes", type=click.FloatRange(0.01, 1440), help="Stop after so long; not complete then.")
@click.option(
    "--resume",
    type=click.Path(writable=True, path_type=Path),
    help="Keep the exploration in this file, or those of several configurations in this directory, and go on with them.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="one for each core",
    help="Explore so many configurations at a time.",
)
@click.option(
    "--every-waking",
    is_flag=True,
    help="Have workers that lost their fence, and can only find that out, wake at any time instead of at once.",
)
@click.option("--own", is_flag=True, help="With the leases, ladders and limits of your environment.")
@click.option("--gateways", help="With --own: at one to three of your gateways, by name, in their order.")
@click.option(
    "--story",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the first life that breaks something to this file.",
)
@click.option(
    "--replay",
    "story_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Tell the story in this file, and live it again in the real pipeline on PostgreSQL.",
)
@click.option(
    "--plant",
    "plants",
    multiple=True,
    type=click.Choice([*PLANTS, "all"]),
    help="Take this guard away, and show with how few faults that is found; --story writes its story.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    listing: bool,
    operations: tuple[str, ...],
    names: tuple[str, ...],
    faults: int,
    minutes: float | None,
    resume: Path | None,
    processes: int,
    every_waking: bool,
    own: bool,
    gateways: str | None,
    story: Path | None,
    story_file: Path | None,
    plants: tuple[str, ...],
    as_json: bool,
) -> None:
    """Explore every interleaving of a payment's life: two workers, crashes, freezes, lost answers, time that jumps.

    The decisions are the product's own, over a model of its tables and gateways. What is explored is every interleaving
    of this model with at most so many of its faults and time jumps. Exit code 1: a life breaks an invariant, or something
    was left out because the time was over.
    """
    if story_file is not None:
        ctx.exit(replay(story_file))
    if plants:
        ctx.exit(show_planted(list(PLANTS) if "all" in plants else plants, story))
    chosen = [
        one
        for one in CONFIGURATIONS.values()
        if (not names or one.name in names) and (not operations or one.operation in operations)
    ]
    if own:
        chosen = _own(chosen, gateways)
    elif gateways:
        raise click.UsageError("--gateways goes with --own")
    if listing:
        print_json(configurations_as_json(chosen)) if as_json else print_configurations(chosen)
        return
    if resume is not None and len(chosen) > 1 and resume.is_file():
        raise click.UsageError("--resume keeps several configurations in a directory, and this is a file")
    files = _files(resume, chosen, faults)
    explored = _all(chosen, faults, minutes, files, processes, not every_waking)
    print_json(explored_as_json(explored)) if as_json else print_explored(explored)
    found = [one for each in explored for one in each.found]
    for one in found if not as_json else ():
        remark(f"{one.configuration}: {'; '.join(one.violations)}, after {len(one.moves)} moves")
    if found and story is not None:
        story.write_text(written(_story(found[0])))
        remark(f"written to {story}; aegis explore --replay {story} tells it")
    ctx.exit(1 if found or not all(one.complete for one in explored) else 0)


def _own(chosen: Sequence[Configuration], gateways: str | None) -> list[Configuration]:
    settings = load_settings()
    if gateways is None:
        return [with_settings(one, settings) for one in chosen]
    adapters = load_adapters(settings.config_dir / "gateways.toml", os.environ)
    names = list(dict.fromkeys(name.strip() for name in gateways.split(",")))
    unknown = [name for name in names if name not in adapters]
    if unknown or not 1 <= len(names) <= 3:
        raise click.UsageError(f"--gateways: one to three of {', '.join(adapters)}")
    template = with_settings(CONFIGURATIONS["one-step"], settings)
    return [at_gateways([adapters[name] for name in names], template)]


def _all(
    chosen: Sequence[Configuration],
    faults: int,
    minutes: float | None,
    files: Sequence[Path | None],
    processes: int,
    drops: bool,
) -> list[Explored]:
    ends_at = float("inf") if minutes is None else time.monotonic() + minutes * 60
    tasks = [Task(one, faults, file, ends_at, drops) for one, file in zip(chosen, files, strict=True)]
    names = chosen[0].name if len(chosen) == 1 else f"{len(chosen)} configurations"
    with stop_on_signals() as stopping, progress(f"{names}, {faults} faults: states", None) as told:
        return explore_all(tasks, processes, stopping.is_set, told)


def _files(resume: Path | None, chosen: Sequence[Configuration], faults: int) -> list[Path | None]:
    """Where each exploration is kept: of one in the file that is named, of several each in a file of that directory."""
    if resume is None:
        return [None] * len(chosen)
    if len(chosen) == 1 and not resume.is_dir():
        return [resume]
    resume.mkdir(exist_ok=True)
    return [resume / f"{one.name}-{faults}.explored" for one in chosen]


def _story(found: Found) -> Story:
    return Story(
        found.configuration, found.operation, found.faults, tuple(found.moves), tuple(found.violations)
    )
