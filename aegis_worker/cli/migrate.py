"""`aegis migrate`: bring the schema to the newest revision, or back to an older one."""

from __future__ import annotations

import sys

import click
from alembic.util import CommandError

from aegis_worker.errors import OperatorError
from aegis_worker.persistence import migrate
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.revisions import chain, current_revision
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, remark


@click.command(
    name="migrate",
    epilog=examples(
        """
        aegis migrate
        aegis migrate --down base --yes    removes every table and everything in them
        """
    ),
)
@click.option(
    "--down", metavar="REVISION", help="Go back to this revision instead. `base` removes every table."
)
@click.option("--yes", is_flag=True, help="Don't ask for confirmation before going back.")
@json_option
@click.pass_context
def command(ctx: click.Context, down: str | None, yes: bool, as_json: bool) -> None:
    """Bring the database schema up to date. Several may run at once: each waits for the one before it."""
    if down is not None and not yes and not _confirmed(down):
        remark("nothing was changed")
        ctx.exit(3)
    with opened_database(any_schema=True) as database:
        before = _revision(database)
        try:
            if down is None:
                migrate.upgrade(load_settings().database_url)
            else:
                migrate.downgrade(load_settings().database_url, down)
        except CommandError as error:
            raise OperatorError(_explain(before, down, str(error))) from error
        after = _revision(database)
    if as_json:
        print_json({"from": before, "to": after, "head": chain()[-1]})
    else:
        change = "nothing to do" if before == after else "done"
        print_facts("Schema", {"from": before or "empty", "to": after or "empty", "result": change})


def _confirmed(down: str) -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("--down destroys data: add --yes")
    return click.confirm(f"Take the schema back to {down}? Tables and what is in them are removed", err=True)


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        return current_revision(connection)


def _explain(before: str | None, down: str | None, message: str) -> str:
    if down is not None:
        return f"can't go back from {before or 'empty'} to {down}: {message}"
    return f"the database is at {before}, which this version doesn't know: it was migrated by a newer one ({message})"
