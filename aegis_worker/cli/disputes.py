"""`aegis disputes`: what payers' banks question."""

from __future__ import annotations

from typing import Any

import click

from aegis_worker.domain.dispute_statuses import DisputeStatus
from aegis_worker.domain.disputes import REASONS
from aegis_worker.errors import NotFound
from aegis_worker.queries.entities import (
    DISPUTES,
    EntityFilters,
    StoredDispute,
    get_one,
    list_some,
    list_to_answer,
)
from aegis_worker.queries.page import Page
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import (
    examples,
    json_option,
    money,
    print_facts,
    print_json,
    print_table,
    remark,
)
from aegis_worker.views.entities import dispute_body
from aegis_worker.views.pages import list_body


@click.group(
    name="disputes",
    epilog=examples(
        """
        aegis disputes list --to-answer
        aegis disputes show dsp_0199f5c8b2a17d01b6a7b0a1c2d3e4f5
        """
    ),
)
def command() -> None:
    """Show what payers' banks question. Evidence is given at the gateway."""


@command.command(
    name="list",
    epilog=examples(
        """
        aegis disputes list --to-answer
        aegis disputes list --status lost --gateway stripe --json
        """
    ),
)
@click.option("--to-answer", is_flag=True, help="Only those that wait for evidence, the next deadline first.")
@click.option(
    "--status",
    type=click.Choice([known.value for known in DisputeStatus]),
    help="Only those that stand like this.",
)
@click.option("--gateway", metavar="NAME", help="Only those of this gateway.")
@click.option("--payment", "payment_id", metavar="ID", help="Only those of this payment.")
@click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True)
@json_option
def list_(
    to_answer: bool,
    status: str | None,
    gateway: str | None,
    payment_id: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show the disputes of all merchants, newest first."""
    if to_answer and (status or gateway or payment_id):
        raise click.UsageError("--to-answer takes no filters beside it")
    filters = EntityFilters(payment_id=payment_id, status=status, gateway=gateway)
    with opened_database() as database, database.read() as connection:
        if to_answer:
            page = Page(list_to_answer(connection, limit=limit), None)
        else:
            page = list_some(connection, DISPUTES, None, filters, limit=limit)
    if as_json:
        print_json(list_body([dispute_body(stored) for stored in page.rows], page.next_cursor))
        return
    titles = ("id", "answer until (UTC)", "payment", "amount", "status", "reason", "gateway", "its id there")
    print_table("Disputes", titles, [_row(stored) for stored in page.rows])
    if page.rows and to_answer:
        remark("Answer each at its gateway, by its id there: evidence is given and kept there.")


def _row(stored: StoredDispute) -> tuple[Any, ...]:
    dispute, shown = stored.dispute, stored.dispute.shown
    return (
        dispute.id,
        shown.respond_by,
        dispute.payment_id,
        money(shown.amount.minor, shown.amount.currency),
        dispute.status.value,
        shown.reason,
        dispute.gateway,
        shown.gateway_ref,
    )


@command.command(epilog=examples("aegis disputes show dsp_0199f5c8b2a17d01b6a7b0a1c2d3e4f5"))
@click.argument("dispute_id", metavar="ID")
@json_option
def show(dispute_id: str, as_json: bool) -> None:
    """Show a dispute as its gateway last showed it."""
    with opened_database() as database, database.read() as connection:
        stored = get_one(connection, DISPUTES, None, dispute_id)
    if stored is None:
        raise NotFound(f"there is no dispute {dispute_id!r}; ids look like dsp_0199…")
    if as_json:
        print_json(dispute_body(stored))
        return
    dispute, shown = stored.dispute, stored.dispute.shown
    print_facts(
        "Dispute",
        {
            "id": dispute.id,
            "payment": dispute.payment_id,
            "amount": money(shown.amount.minor, shown.amount.currency),
            "status": dispute.status.value,
            "reason": f"{shown.reason}: {REASONS[shown.reason]}",
            "answer until (UTC)": shown.respond_by,
            "about": None if dispute.own_charge else "a charge that the payment does not stand on",
            "gateway": dispute.gateway,
            "its id there": shown.gateway_ref,
            "its word": shown.gateway_status,
            "its code": shown.gateway_reason,
            "heard of (UTC)": stored.created_at,
            "changed (UTC)": stored.updated_at,
        },
    )
