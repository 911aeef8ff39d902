"""`aegis explore --replay FILE`: tell a story, live it again in the real pipeline, and say whether it ends alike."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import Struct

from aegis_worker.lab.embedded.stack import Stores, temporary_data_dir
from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.explorer import Explorer
from aegis_worker.lab.plants import PLANTS, planted

from .books import LivedOtherwise
from .file import BadStory, Story, read
from .installation import StoryTables, story_tables
from .replay import live_again, steps_of
from .telling import told

_SCHEMA = "story"


class Lived(Struct, frozen=True):
    """What came of a story. `sentences`: what happens in it. `breaks`: what that breaks in the explored life, in words.
    `otherwise`: what is otherwise in the real one; empty where it ends as it was explored.
    """

    sentences: list[str]
    breaks: list[str]
    otherwise: list[str]


def lived(tables: StoryTables, story: Story) -> Lived:
    """Live the story again, with the faults planted that it was found with.

    Raises BadStory for a configuration or a fault that there is not.
    """
    configuration = CONFIGURATIONS.get(story.configuration)
    unknown = [name for name in story.planted if name not in PLANTS]
    if configuration is None or unknown:
        raise BadStory(f"there is no configuration or fault {', '.join(unknown) or story.configuration!r}")
    with planted(story.planted, in_postgres=True, in_model=True):
        explorer = Explorer(configuration)
        begins, steps = explorer.begin(), steps_of(explorer, story.moves)
        breaks = [wrong for step in steps for wrong in step.wrong]
        last = steps[-1].world if steps else begins
        if explorer.scenario.is_at_rest(last):
            judged = explorer.scenario.judge(explorer, last)
            breaks += [wrong for wrong in judged if wrong in story.violations]
        try:
            with tables.begun() as installation:
                otherwise = live_again(installation, configuration, begins, steps)
        except LivedOtherwise as left:
            otherwise = [str(left)]
    return Lived(told(begins, steps), breaks, otherwise)


def replay(path: Path) -> int:
    """Do it, on an embedded PostgreSQL that is thrown away; returns the command's exit code: 1 where it ends otherwise.

    Raises BadStory.
    """
    story = read(path)
    with temporary_data_dir() as data_dir:
        stores = Stores(data_dir, environ={})
        try:
            with story_tables(stores.postgres.start(), _SCHEMA) as tables:
                what = lived(tables, story)
        finally:
            stores.stop()
    _show(story, what)
    return 1 if what.otherwise else 0


def _show(story: Story, what: Lived) -> None:
    for name in story.planted:
        click.echo(f"Planted, in the model and in the pipeline: {PLANTS[name].what}")
    click.echo("\n".join(what.sentences))
    for wrong in what.breaks:
        click.echo(f"This breaks {wrong}.")
    if story.violations and not what.breaks:
        click.echo(f"It was found because it broke {'; '.join(story.violations)}. It breaks nothing now.")
    if what.otherwise:
        click.echo("\nThe real pipeline on PostgreSQL lives it otherwise:")
        click.echo("\n".join(f"  {one}" for one in what.otherwise))
    else:
        click.echo(
            "\nThe real pipeline on PostgreSQL lives it alike, move by move, and ends as it was explored."
        )
