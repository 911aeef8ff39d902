"""`aegis rules show`."""

from __future__ import annotations

import click

from aegis_worker.persistence.rules_versions import VERSIONS
from aegis_worker.rules.book import RulesBook
from aegis_worker.rules.config import load_rules
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json
from aegis_worker.views.rules import rules_body

from .documents import print_rules, rules_file


@click.command(name="show", epilog=examples("aegis rules show --json"))
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show the rules in force: config/rules.toml, or those that replaced it.

    Exits with 1 when the newest version can't be used here; the newest one that can is shown then.
    """
    from_file = load_rules(rules_file())
    with opened_database() as database:
        table = RulesBook(database, from_file).current()
        with database.read() as connection:
            held = VERSIONS.newest_version(connection)
    body = rules_body(held, from_file)
    if as_json:
        print_json(body)
    else:
        facts = {
            "version": body["version"],
            "from": str(rules_file()) if body["source"] == "file" else "the database",
            "put by": body["actor"],
            "because": body["reason"],
            "since (UTC)": held and held.created_at,
            "can't be used": table.unusable,
        }
        print_facts("In force", facts)
        print_rules(table.config)
    ctx.exit(1 if table.unusable else 0)
