"""`aegis emulator failures`: the failure modes of the emulated gateways."""

from __future__ import annotations

import click

from aegis_worker.emulator.failures import FAILURES
from aegis_worker.emulator.wire_formats import WIRE_FORMATS
from aegis_worker.terminal.output import examples, json_option, print_json, print_table


@click.command(
    name="failures",
    epilog=examples(
        """
        aegis emulator failures
        aegis emulator failures --gateway stripe --json
        """
    ),
)
@click.option("--gateway", type=click.Choice(list(WIRE_FORMATS)), help="Only those that it has.")
@json_option
def command(gateway: str | None, as_json: bool) -> None:
    """Show what can be made to fail at the emulated gateways, and how: by token, header, scenario or call."""
    shown = [one for one in FAILURES if gateway is None or gateway in one.where]
    if as_json:
        print_json([one.as_dict() for one in shown])
        return
    rows = [
        (one.name, one.family, ", ".join(one.where), one.triggers.get("header", ""), one.meaning)
        for one in shown
    ]
    print_table(
        "Failure modes", ("failure", "family", "gateways", "header", "what happens"), rows, spare=("family",)
    )
