"""`aegis chaos`: experiments that break a throw-away installation on purpose, and say whether a hypothesis held."""

from __future__ import annotations

import click

from aegis_worker.terminal.group import LazyGroup
from aegis_worker.terminal.output import examples

MODES = {
    "list": (".listing", "Show the experiments of the configuration."),
    "show": (".showing", "Show one experiment: what it breaks, and what must hold."),
    "run": (".run", "Run one on a throw-away installation, and judge what came out."),
}


@click.group(
    name="chaos",
    cls=LazyGroup,
    package=__name__,
    modules=MODES,
    epilog=examples(
        """
        aegis chaos list
        aegis chaos show gateway_timeout
        aegis chaos run gateway_timeout --seed 7 --report report.html
        """
    ),
)
def command() -> None:
    """Break things on purpose under load, and see whether a hypothesis about it holds.

    Experiments are the files of chaos/ in the configuration (AEGIS_CONFIG_DIR); a path to a file of yours is taken as well.
    """
