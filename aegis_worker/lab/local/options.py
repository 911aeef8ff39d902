"""What the commands that start a local installation are given alike."""

from __future__ import annotations

import click

from .emulated import EMULATED


def _names(ctx: click.Context, param: click.Parameter, given: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (given or "").split(",") if name.strip())
    if len(set(names)) != len(names):
        raise click.BadParameter("a gateway is named twice")
    return names


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
