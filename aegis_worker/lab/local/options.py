"""What the commands that start a local installation are given alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .emulated import EMULATED

Command = TypeVar("Command", bound=Callable[..., Any])


def _names(ctx: click.Context, param: click.Parameter, given: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (given or "").split(",") if name.strip())
    if len(set(names)) != len(names):
        raise click.BadParameter("a gateway is named twice")
    return names


workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="How many processes the Celery worker has.",
)

vault_option = click.option(
    "--vault",
    is_flag=True,
    help="Turn the card vault on, with keys, a database and a Redis of its own: cards themselves are taken then.",
)

gateways_option = click.option(
    "--gateways",
    metavar="NAMES",
    callback=_names,
    help=(
        "Only these gateways, in this order, separated by commas, each with an emulator of its own: sandboxes of "
        f"gateways.toml, {', '.join(EMULATED)}. routing.toml is not used then."
    ),
)


def figures_option(dash_means: str | None = None) -> Callable[[Command], Command]:
    """Where the figures go as JSON. `dash_means`: what - stands for; None: it is no file."""
    dash = "" if dash_means is None else f"; - means {dash_means}"
    return click.option(
        "--json",
        "json_file",
        type=click.Path(dir_okay=False, writable=True, allow_dash=dash_means is not None, path_type=Path),
        help=f"Write the figures as JSON to this file{dash}.",
    )
