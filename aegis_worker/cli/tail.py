"""`aegis tail`: events as they are told."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from itertools import chain
from typing import Any

import click

from aegis_worker.domain.transitions import EventType
from aegis_worker.observability.logs import configure_logs
from aegis_worker.queries.sentences import of_event
from aegis_worker.settings import load_settings
from aegis_worker.terminal.following import events_after, last_events
from aegis_worker.terminal.output import examples, json_option, plain, print_json
from aegis_worker.wiring.stores import redis_client

_TYPES = {type_.wire: type_ for type_ in EventType}


@click.command(
    name="tail",
    epilog=examples(
        """
        aegis tail
        aegis tail --type payment.in_doubt --type payment.review_required
        aegis tail --payment pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5 -n 100
        aegis tail -n 20 --no-follow --json
        """
    ),
)
@click.option(
    "-n", "--last", type=click.IntRange(0, 10_000), default=10, show_default=True, help="Begin so far back."
)
@click.option(
    "--type", "types", type=click.Choice(sorted(_TYPES)), multiple=True, help="Only these; may be repeated."
)
@click.option("--payment", "payment_id", metavar="ID", help="Only this payment's.")
@click.option("--merchant", "merchant", metavar="ID", help="Only this merchant's.")
@click.option("--follow/--no-follow", default=True, show_default=True, help="Go on with what is told next.")
@json_option
def command(
    last: int,
    types: tuple[str, ...],
    payment_id: str | None,
    merchant: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the latest events of the stream, and then each as it is told, until Ctrl-C.

    Events are told in order per payment, at least once: one may come again. --json prints one event a line.
    """
    settings = load_settings()
    configure_logs("ERROR")
    with closing(redis_client(settings)) as redis, suppress(KeyboardInterrupt):
        place, before = last_events(redis, last)
        for event in chain(before, events_after(redis, place) if follow else ()):
            wanted = (
                (not types or event["type"] in types)
                and payment_id in (None, event["payment_id"])
                and merchant in (None, event["merchant_id"])
            )
            if wanted and as_json:
                print_json(event, one_line=True)
            elif wanted:
                click.echo(plain(_line(event)))


def _line(event: Mapping[str, Any]) -> str:
    type_ = _TYPES.get(event["type"])
    said = of_event(type_, event["data"], event["data"]["currency"]) if type_ else ""
    return f"{event['created_at']}  {event['payment_id']} #{event['seq']:<3} {event['type']:<32} {said}"
