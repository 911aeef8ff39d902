"""`aegis chaos list`."""

from __future__ import annotations

import click

from aegis_worker.terminal.output import json_option, print_json, print_table

from .choosing import folder
from .reading import experiments, read_experiment


@click.command(name="list")
@json_option
def command(as_json: bool) -> None:
    """Show the experiments of the configuration."""
    found = [read_experiment(path) for path in experiments(folder())]
    if as_json:
        print_json({"experiments": [{"name": one.name, "about": one.about} for one in found]})
        return
    rows = [(one.name, f"{one.phases.whole_s / 60:g} min", one.about) for one in found]
    print_table("Experiments", ("name", "takes", "what is broken"), rows)
