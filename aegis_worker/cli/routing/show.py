"""`aegis routing show`."""

from __future__ import annotations

import click

from aegis_worker.routing.changes import ROUTING
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import examples, json_option, print_json
from aegis_worker.views.versions import held_body

from .documents import COMMANDS, print_document, routing_file


@click.command(name="show", epilog=examples("aegis routing show --json"))
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the routing configuration in force: config/routing.toml, or the one that replaced it.

    Exits with 1 when the configuration can't be used with the gateways that are configured here.
    """
    installed = COMMANDS.installed()
    with opened_database() as database, database.read() as connection:
        held = ROUTING.versions.newest_version(connection)
    body = held_body(installed, held)
    if as_json:
        print_json(body)
    else:
        COMMANDS.print_held("Routing", routing_file(), body, held, body["unusable"])
        print_document(body["config"])
    ctx.exit(1 if body["unusable"] else 0)
