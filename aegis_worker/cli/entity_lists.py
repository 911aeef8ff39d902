"""What `aegis captures` and `aegis refunds` have in common: their options and their table."""

from __future__ import annotations

from typing import Any

import click

from aegis_worker.domain.entities import EntityKind, EntityStatus
from aegis_worker.queries.entities import ORDERED, EntityFilters, list_some
from aegis_worker.queries.sentences import of_error
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import examples, json_option, money, print_json, print_table
from aegis_worker.views.entities import entity_body
from aegis_worker.views.pages import list_body


def list_command(kind: EntityKind, about: str) -> click.Command:
    """The command that lists those of one kind, of all merchants."""
    plural = f"{kind}s"

    @click.command(
        name=plural,
        help=about,
        epilog=examples(
            f"""
            aegis {plural} --status pending
            aegis {plural} --payment pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5 --json
            """
        ),
    )
    @click.option(
        "--status",
        type=click.Choice([known.value for known in EntityStatus]),
        help="Only those that stand like this.",
    )
    @click.option("--gateway", metavar="NAME", help="Only those of this gateway.")
    @click.option("--payment", "payment_id", metavar="ID", help="Only those of this payment.")
    @click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True)
    @json_option
    def command(
        status: str | None, gateway: str | None, payment_id: str | None, limit: int, as_json: bool
    ) -> None:
        filters = EntityFilters(payment_id=payment_id, status=status, gateway=gateway)
        with opened_database() as database, database.read() as connection:
            page = list_some(connection, ORDERED[kind], None, filters, limit=limit)
        bodies = [entity_body(stored) for stored in page.rows]
        if as_json:
            print_json(list_body(bodies, page.next_cursor))
            return
        rows = [_row(body, stored.created_at) for body, stored in zip(bodies, page.rows, strict=True)]
        titles = ("id", "ordered (UTC)", "payment", "amount", "status", "gateway", "error")
        print_table(plural.capitalize(), titles, rows)

    return command


def _row(body: dict[str, Any], created_at: object) -> tuple[Any, ...]:
    return (
        body["id"],
        created_at,
        body["payment_id"],
        money(body["amount"], body["currency"]),
        body["status"],
        body["gateway"],
        of_error(body["error"]),
    )
