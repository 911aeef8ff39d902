"""`aegis outbox`: events on their way to the stream and to merchants' endpoints."""

from __future__ import annotations

import dataclasses
from functools import partial

import click
from msgspec import structs

from aegis_worker.delivery.webhooks import endpoints as use_cases
from aegis_worker.domain.modes import MODES, Mode, Owner
from aegis_worker.domain.transitions import EventType
from aegis_worker.errors import NotFound
from aegis_worker.ids import parse_event_id
from aegis_worker.persistence import delivery_lag, hook_rows, outbox_rows
from aegis_worker.persistence.delivery_lag import DEAD_WITHIN_D
from aegis_worker.persistence.outbox_rows import Lag
from aegis_worker.queries.payments import get_payment
from aegis_worker.settings import load_settings
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import (
    duration,
    examples,
    json_option,
    print_facts,
    print_json,
    print_table,
    remark,
)
from aegis_worker.terminal.worker_parts import opened_worker

from .backlog import deliveries
from .keys import merchant_id

merchant_option = click.option(
    "--merchant", required=True, callback=merchant_id, help="The merchant whose endpoint it is."
)
# Of the oldest deliveries; what one command makes due again.
_MOST_SHOWN, _MOST_AGAIN = 100_000, 1000
_NO_EVENT = "there is no event {!r}; ids look like evt_0199…_3"

mode_option = click.option(
    "--mode", type=click.Choice(MODES), default="test", show_default=True, help="Of which payments it hears."
)


@click.group(
    name="outbox",
    epilog=examples(
        """
        aegis outbox status
        aegis outbox deliveries --status dead
        aegis outbox redeliver evt_0199f5c8b2a17d01b6a7b0a1c2d3e4f5_3
        """
    ),
)
def command() -> None:
    """Show, drain and redeliver events."""


@command.command(epilog=examples("aegis outbox status --json"))
@json_option
def status(as_json: bool) -> None:
    """Show how many events wait for delivery to the stream and to merchants' endpoints."""
    with opened_database() as database, database.read() as connection:
        stream, webhooks = outbox_rows.lag(connection), delivery_lag.lag(connection)
    if as_json:
        print_json({"stream": stream, "webhooks": webhooks})
        return
    titles = (
        "to",
        "pending",
        "oldest",
        "being delivered",
        "failed, tried again",
        f"dead, last {DEAD_WITHIN_D} d",
        f"cancelled, last {DEAD_WITHIN_D} d",
    )
    ended = (webhooks["dead"], webhooks["cancelled"])
    rows = [(*_lag_row("stream", stream), None, None), (*_lag_row("webhooks", webhooks), *ended)]
    print_table("Outbox", titles, rows)


def _lag_row(sink: str, lag: Lag) -> tuple[object, ...]:
    oldest = duration(lag["oldest_age_s"]) if lag["pending"] else None
    return sink, lag["pending"], oldest, lag["leased"], lag["failed"]


@command.command(epilog=examples("aegis outbox drain"))
@json_option
@click.pass_context
def drain(ctx: click.Context, as_json: bool) -> None:
    """Deliver due events now.

    Delivers to the stream, then to webhook endpoints, then to hooks. Exits with 1 when something could not be delivered.
    """
    with opened_worker() as parts:
        drained = parts.drain_outbox()
        delivered = parts.deliver_webhooks()
        told = parts.listening.run()
    if as_json:
        shown = dataclasses.asdict
        print_json({"outbox": shown(drained), "webhooks": shown(delivered), "hooks": shown(told)})
    else:
        print_facts(
            "Outbox", {name.replace("_", " "): value for name, value in dataclasses.asdict(drained).items()}
        )
        print_facts("Webhooks", dataclasses.asdict(delivered))
        print_facts("Hooks", dataclasses.asdict(told))
    ctx.exit(1 if drained.failed or any(one.failed or one.dead for one in (delivered, told)) else 0)


@command.command(
    epilog=examples(
        """
        aegis outbox hooks
        aegis outbox hooks --again our_shop:listen
        aegis outbox hooks --again our_shop:listen --event evt_0199f5c8b2a17d01b6a7b0a1c2d3e4f5_3
        """
    )
)
@click.option(
    "--again", metavar="HOOK", help="Tell this hook again what it was given up for, up to 1,000 events."
)
@click.option("--event", "event_id", metavar="EVENT_ID", help="With --again: this event alone.")
@json_option
def hooks(again: str | None, event_id: str | None, as_json: bool) -> None:
    """Show what hooks that listen are still to be told of, and what was given up.

    A hook that fails is told again after longer and longer pauses, as a webhook endpoint is. Of what a hook took nothing is
    kept, so it can't be told of that again.
    """
    if event_id is not None and again is None:
        raise click.UsageError("--event says which event a hook is told of again: it needs --again")
    place = None if event_id is None else parse_event_id(event_id)
    if event_id is not None and place is None:
        raise NotFound(_NO_EVENT.format(event_id))
    with opened_database() as database:
        if again is not None:
            made = database.run(partial(hook_rows.again, hook=again, limit=_MOST_AGAIN, of_event=place))
            remark(f"{made} event(s) are due again for {again}.")
        with database.read() as connection:
            found = hook_rows.backlog(connection, most=_MOST_SHOWN)
    if as_json:
        print_json([structs.asdict(one) for one in found])
        return
    titles = ("hook", "point", "pending", "failing", "dead", "oldest (UTC)", "last error")
    print_table("Events for hooks", titles, [structs.astuple(one) for one in found])


@command.command(name="deliveries", epilog=examples("aegis outbox deliveries --status dead --merchant shop"))
@click.option(
    "--status",
    "wanted",
    type=click.Choice(["pending", "delivered", "dead", "cancelled"]),
    help="Show only deliveries with this status.",
)
@click.option("--merchant", callback=merchant_id, help="Show only this merchant's deliveries.")
@click.option("--payment", metavar="ID", help="Show only this payment's deliveries.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_deliveries(
    wanted: str | None, merchant: str | None, payment: str | None, limit: int, as_json: bool
) -> None:
    """Show the newest webhook deliveries.

    Failed deliveries are shown with their error.
    """
    with opened_database() as database, database.read() as connection:
        found = deliveries(connection, merchant_id=merchant, status=wanted, payment_id=payment, limit=limit)
    if as_json:
        print_json(found)
        return
    columns = ("event_id", "merchant_id", "endpoint_id", "status", "tries", "created_at", "last_error")
    titles = ("event", "merchant", "endpoint", "status", "tries", "made (UTC)", "last error")
    print_table("Webhook deliveries", titles, [[row[name] for name in columns] for row in found])


@command.command(epilog=examples("aegis outbox redeliver evt_0199f5c8b2a17d01b6a7b0a1c2d3e4f5_3"))
@click.argument("event_id", metavar="EVENT_ID")
@json_option
@click.pass_context
def redeliver(ctx: click.Context, event_id: str, as_json: bool) -> None:
    """Post an event to webhook endpoints again.

    Posts to every active endpoint of the merchant that is registered for the event's type, with the same event id as
    before. If there is no such endpoint, says why and exits with 1.
    """
    with opened_database() as database:
        place = parse_event_id(event_id)
        with database.read() as connection:
            stored = get_payment(connection, None, place[0]) if place else None
        if stored is None:
            raise NotFound(_NO_EVENT.format(event_id))
        made = use_cases.redelivery(
            database, Owner(stored.payment.merchant_id, stored.payment.mode), event_id
        )
    why = {"reason": made.reason} if made.reason else {}
    if as_json:
        print_json({"event_id": event_id, "endpoints": made.deliveries, **why})
    else:
        print_facts("Redelivery", {"event": event_id, "endpoints": made.deliveries, **why})
    ctx.exit(1 if made.reason else 0)


@command.group(epilog=examples("aegis outbox endpoints add https://shop.example/hooks --merchant shop"))
def endpoints() -> None:
    """Manage the URLs to which a merchant's events are posted."""


@endpoints.command(epilog=examples("aegis outbox endpoints add https://shop.example/hooks --merchant shop"))
@click.argument("url")
@merchant_option
@mode_option
@click.option("--event", "event_types", multiple=True, type=click.Choice([event.wire for event in EventType]))
@json_option
def add(url: str, merchant: str, mode: Mode, event_types: tuple[str, ...], as_json: bool) -> None:
    """Post a merchant's events of one mode to URL from now on: all types, or only those that --event names."""
    with opened_database() as database:
        made = use_cases.create_endpoint(database, load_settings(), Owner(merchant, mode), url, event_types)
    if as_json:
        print_json(
            {"id": made.endpoint.id, "merchant_id": merchant, "mode": mode, "url": url, "secret": made.secret}
        )
    else:
        print_facts("Webhook endpoint", {"id": made.endpoint.id, "url": url, "secret": made.secret})
        remark("The merchant checks signatures with this secret (Standard Webhooks).")


@endpoints.command(name="list", epilog=examples("aegis outbox endpoints list --merchant shop"))
@merchant_option
@mode_option
@json_option
def list_endpoints(merchant: str, mode: Mode, as_json: bool) -> None:
    """Show a merchant's active endpoints of one mode."""
    with opened_database() as database:
        found = use_cases.list_endpoints(database, Owner(merchant, mode))
    if as_json:
        print_json([dataclasses.asdict(endpoint) for endpoint in found])
        return
    rows = [
        (
            endpoint.id,
            endpoint.url,
            ", ".join(type_.wire for type_ in endpoint.event_types) or "all",
            endpoint.created_at,
            endpoint.resting_until,
        )
        for endpoint in found
    ]
    print_table(
        f"Webhook endpoints of {merchant} ({mode})",
        ("id", "url", "events", "since (UTC)", "rests until (UTC)"),
        rows,
    )


@endpoints.command(epilog=examples("aegis outbox endpoints disable whe_0199… --merchant shop"))
@click.argument("endpoint_id", metavar="ID")
@merchant_option
@mode_option
@json_option
def disable(endpoint_id: str, merchant: str, mode: Mode, as_json: bool) -> None:
    """Stop posting to an endpoint. Deliveries that it has not received by then are cancelled."""
    with opened_database() as database:
        use_cases.disable_endpoint(database, Owner(merchant, mode), endpoint_id)
    if as_json:
        print_json({"id": endpoint_id, "disabled": True})
    else:
        print_facts("Webhook endpoint", {"id": endpoint_id, "disabled": True})
