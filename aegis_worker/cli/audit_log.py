"""`aegis audit-log`: who decided what, and whether the log is unaltered."""

from __future__ import annotations

import click

from aegis_worker.persistence import audit_log
from aegis_worker.persistence.audit_log import Entry, Verdict
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, print_table, remark
from aegis_worker.views.audit_log import audit_entry_body


@click.command(
    name="audit-log",
    epilog=examples(
        """
        aegis audit-log
        aegis audit-log --payment pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5
        aegis audit-log --verify
        """
    ),
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Show the newest N entries."
)
@click.option("--payment", "payment_id", metavar="ID", help="Show only decisions about this payment.")
@click.option(
    "--verify", "verifying", is_flag=True, help="Check the chain of hashes from the first entry on."
)
@json_option
@click.pass_context
def command(ctx: click.Context, limit: int, payment_id: str | None, verifying: bool, as_json: bool) -> None:
    """Show who decided what, newest first: decisions about payments, API keys made and revoked, changes of routing.

    With --verify, exits with 1 when the chain is broken, and names the first entry that does not fit. The check does not
    notice that the newest entries were deleted; to notice that, keep the newest hash elsewhere and compare.
    """
    with opened_database() as database:
        if verifying:
            verdict = audit_log.verify(database)
            _tell_verdict(verdict, as_json)
            ctx.exit(0 if verdict.why is None else 1)
        with database.read() as connection:
            entries = audit_log.list_entries(connection, limit=limit, payment_id=payment_id)
    if as_json:
        print_json([audit_entry_body(entry) for entry in entries])
        return
    rows = [(entry.seq, entry.at, entry.actor, *_in_short(entry), entry.payment_id) for entry in entries]
    print_table("Audit log", ("#", "at (UTC)", "who", "what", "how", "why", "payment"), rows)


_NAMED = ("key_id", "role", "merchant_id", "label", "gateway", "version", "source")


def _in_short(entry: Entry) -> tuple[str, str, str | None]:
    """The action, what it was done to or how, and the reason given. --json shows everything."""
    details = entry.details
    named = ("resolution", "checked") if entry.payment_id else _NAMED
    return (
        entry.action,
        ", ".join(str(details[name]) for name in named if details.get(name)),
        details.get("reason"),
    )


def _tell_verdict(verdict: Verdict, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "intact": verdict.why is None,
                "entries": verdict.entries,
                "newest_hash": verdict.newest.hex(),
                "broken_at": verdict.broken_at,
                "why": verdict.why,
            }
        )
        return
    facts = {"entries in order": verdict.entries, "newest hash": verdict.newest.hex()}
    if verdict.why is None:
        print_facts("The audit log is whole", facts)
    else:
        print_facts(
            "The audit log is BROKEN", {**facts, "first bad entry": verdict.broken_at, "because": verdict.why}
        )
        remark("Somebody changed it in the database: compare with a backup, and find out who could.")
