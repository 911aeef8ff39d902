"""`aegis rules history`."""

from __future__ import annotations

import click

from aegis_worker.persistence.rules_versions import VERSIONS
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import examples, json_option, print_json, print_table
from aegis_worker.views.rules import version_body


@click.command(name="history", epilog=examples("aegis rules history --limit 5 --json"))
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Show the newest N versions."
)
@json_option
def command(limit: int, as_json: bool) -> None:
    """Show who changed the rules, when and why, newest first. --json also shows the rules."""
    with opened_database() as database, database.read() as connection:
        versions = VERSIONS.history(connection, limit=limit)
    if as_json:
        print_json([version_body(version) for version in versions])
        return
    rows = [
        (
            version.version,
            version.created_at,
            version.actor,
            "config/rules.toml" if version.document is None else "put",
            len(version.document.get("rules", ())) if version.document is not None else None,
            version.reason,
        )
        for version in versions
    ]
    print_table("Versions of the rules", ("version", "at (UTC)", "who", "what", "own rules", "why"), rows)
