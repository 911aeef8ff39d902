"""`aegis rules show`."""

from __future__ import annotations

import click

from aegis_worker.rules.book import RulesBook
from aegis_worker.rules.changes import RULES
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import examples, json_option, print_json
from aegis_worker.views.versions import held_body

from .documents import COMMANDS, print_rules, rules_file


@click.command(name="show", epilog=examples("aegis rules show --json"))
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the rules in force: config/rules.toml, or those that replaced it.

    Exits with 1 when the newest version can't be used here; the newest one that can is shown then.
    """
    installed = COMMANDS.installed()
    with opened_database() as database:
        table = RulesBook(database, installed.from_file).current()
        with database.read() as connection:
            held = RULES.versions.newest_version(connection)
    body = held_body(installed, held)
    if as_json:
        print_json(body)
    else:
        COMMANDS.print_held("In force", rules_file(), body, held, table.unusable)
        print_rules(table.config)
    ctx.exit(1 if table.unusable else 0)
