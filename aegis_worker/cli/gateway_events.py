"""`aegis gateway-events`: what payment gateways told us, and what became of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
from msgspec.structs import asdict

from aegis_worker.domain.gateway_events import STATUSES, Status
from aegis_worker.errors import NotFound
from aegis_worker.persistence import gateway_event_rows
from aegis_worker.queries.gateway_events import StoredGatewayEvent, list_gateway_events
from aegis_worker.sealing.ring import KeyRing
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, print_table, remark

_gateway_option = click.option("--gateway", metavar="NAME", help="Only those of this gateway.")


@click.group(
    name="gateway-events",
    epilog=examples(
        """
        aegis gateway-events list --status unmatched
        aegis gateway-events show sandbox_a sevt_1f0c
        aegis gateway-events retry
        """
    ),
)
def command() -> None:
    """Show and retry what payment gateways told us in their webhooks."""


@command.command(
    name="list",
    epilog=examples(
        """
        aegis gateway-events list
        aegis gateway-events list --status unmatched --gateway sandbox_a --json
        """
    ),
)
@_gateway_option
@click.option("--status", type=click.Choice(STATUSES), help="Only those that stand like this.")
@click.option("--payment", "payment_id", metavar="ID", help="Only those about this payment.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_(
    gateway: str | None, status: Status | None, payment_id: str | None, limit: int, as_json: bool
) -> None:
    """Show the newest events.

    waiting: a worker has yet to follow it, or its payment is not known yet. followed: the gateway was asked because of it.
    no_news: it told nothing new. unmatched: its payment was not known within 24 hours. foreign: it is of another mode or
    account than the gateway's table.
    """
    with opened_database() as database, database.read() as connection:
        found = list_gateway_events(
            connection, gateway=gateway, status=status, payment_id=payment_id, limit=limit
        )
    if as_json:
        print_json([asdict(event) for event in found])
        return
    titles = ("received (UTC)", "gateway", "event", "kind", "status", "payment", "reason", "next (UTC)")
    print_table("Gateway events", titles, [_row(event) for event in found])


def _row(event: StoredGatewayEvent) -> tuple[Any, ...]:
    return (
        event.received_at,
        event.gateway,
        event.provider_event_id,
        event.kind,
        event.status,
        event.payment_id or event.reference or event.gateway_ref,
        event.reason,
        event.due_at,
    )


@command.command(epilog=examples("aegis gateway-events show sandbox_a sevt_1f0c"))
@click.argument("gateway")
@click.argument("event_id", metavar="EVENT_ID")
@json_option
def show(gateway: str, event_id: str, as_json: bool) -> None:
    """Show the body that an event came in, as the gateway sent it. It may hold personal data."""
    ring = KeyRing(load_settings().sealing_keys)
    with opened_database() as database, database.read() as connection:
        body = gateway_event_rows.body_of(connection, ring, gateway, event_id)
    if body is None:
        raise NotFound(f"no body of an event {event_id!r} of {gateway} is kept; they are for 30 days")
    told = {"gateway": gateway, "event_id": event_id, "body": body.decode(errors="replace")}
    if as_json:
        print_json(told)
    else:
        print_facts("Gateway event", told)


@command.command(
    epilog=examples(
        """
        aegis gateway-events retry                       all that are unmatched
        aegis gateway-events retry --gateway sandbox_a sevt_1f0c sevt_1f0d
        """
    )
)
@click.argument("event_ids", metavar="[EVENT_ID]…", nargs=-1)
@_gateway_option
@json_option
def retry(event_ids: tuple[str, ...], gateway: str | None, as_json: bool) -> None:
    """Have events followed anew: these, or all that are unmatched. Their payments are looked for for another 24 hours."""
    again = partial(gateway_event_rows.retry, gateway=gateway, ids=event_ids or None)
    with opened_database() as database:
        count = database.run(again)
    if event_ids and not count:
        raise NotFound(f"no such event: {', '.join(event_ids)}")
    if as_json:
        print_json({"retried": count})
        return
    print_facts("Gateway events", {"retried": count})
    if count:
        remark("Workers follow them within seconds; see `aegis gateway-events list`.")
