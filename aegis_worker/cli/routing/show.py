"""`aegis routing show`."""

from __future__ import annotations

import click

from aegis_worker.persistence import routing_versions
from aegis_worker.routing.config import load_routing
from aegis_worker.terminal.installation import configured_gateways, opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json
from aegis_worker.views.routing import routing_body

from .documents import print_document, routing_file


@click.command(name="show", epilog=examples("aegis routing show --json"))
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the routing configuration in force: config/routing.toml, or the one that replaced it.

    Exits with 1 when the configuration can't be used with the gateways that are configured here.
    """
    gateways = configured_gateways()
    from_file = load_routing(routing_file(), gateways)
    with opened_database() as database, database.read() as connection:
        held = routing_versions.VERSIONS.newest_version(connection)
    body = routing_body(held, from_file, gateways)
    if as_json:
        print_json(body)
    else:
        facts = {
            "version": body["version"],
            "from": str(routing_file()) if body["source"] == "file" else "the database",
            "put by": body["actor"],
            "because": body["reason"],
            "since (UTC)": held and held.created_at,
            "can't be used": body["unusable"],
        }
        print_facts("Routing", facts)
        print_document(body["config"])
    ctx.exit(1 if body["unusable"] else 0)
