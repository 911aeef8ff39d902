"""`aegis projections`: the read models that analytics and search look at."""

from __future__ import annotations

import click

from aegis_worker.persistence import projections
from aegis_worker.persistence.projections import MOST_PENDING
from aegis_worker.projections.keep import rebuild as rebuild_all
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import duration, examples, json_option, print_facts, print_json, progress

# Every payment is read in one statement: a million take seconds, or half a minute beside other work.
_LONGEST_CHECK_S = 3600.0


@click.group(
    name="projections",
    epilog=examples(
        """
        aegis projections status
        aegis projections check
        aegis projections rebuild
        """
    ),
)
def command() -> None:
    """Show and rebuild the read models of analytics and search."""


@command.command(epilog=examples("aegis projections status --json"))
@json_option
def status(as_json: bool) -> None:
    """Show how far behind the read models are."""
    with opened_database() as database, database.read() as connection:
        behind = projections.lag(connection)
    if as_json:
        print_json(
            {
                "pending": behind.pending,
                "oldest_age_s": behind.oldest_age_s,
                "rebuilding_to": behind.rebuilding_to,
                "rebuilt_at": behind.rebuilt_at,
            }
        )
        return
    more = "more than " if behind.pending == MOST_PENDING else ""
    print_facts(
        "Read models",
        {
            "changes not taken in": f"{more}{behind.pending}",
            "the oldest": duration(behind.oldest_age_s) if behind.pending else None,
            "being rebuilt, up to": "the very first" if behind.rebuilding_to == "" else behind.rebuilding_to,
            "rebuilt (UTC)": behind.rebuilt_at,
        },
    )


@command.command(epilog=examples("aegis projections check --json"))
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Count every payment anew and compare. Exits with 1 when the summaries differ.

    Changes that are not taken in yet show as differences: `status` says how many there are.
    """
    with opened_database(longest_s=_LONGEST_CHECK_S) as database, database.read() as connection:
        behind, differing = projections.lag(connection), projections.differences(connection)
    if as_json:
        print_json({"differing": differing, "pending": behind.pending})
    else:
        print_facts("Read models", {"rows that differ": differing, "changes not taken in": behind.pending})
    ctx.exit(1 if differing else 0)


@command.command(epilog=examples("aegis projections rebuild\naegis projections rebuild --go-on"))
@click.option("--go-on", is_flag=True, help="Go on where a rebuild that was stopped has come to.")
@json_option
def rebuild(go_on: bool, as_json: bool) -> None:
    """Make the read models anew from all payments.

    Workers may go on. Until the end analytics lack payments, and say so. Ctrl-C stops it; --go-on goes on.
    """
    with opened_database() as database:
        with database.read() as connection:
            expected = projections.payments_about(connection)
        with progress("payments", total=expected) as more:
            taken = rebuild_all(database, goes_on=go_on, done=lambda count: more(count))
    if as_json:
        print_json({"payments": taken})
    else:
        print_facts("Read models", {"payments taken in": taken})
