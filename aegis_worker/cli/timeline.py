"""`aegis timeline`: what happened to a payment."""

from __future__ import annotations

import click

from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.look_up import look_up
from aegis_worker.terminal.output import examples, json_option, print_json
from aegis_worker.terminal.story import print_attempts, print_events, print_exchanges
from aegis_worker.views.attempts import attempt_body
from aegis_worker.views.events import event_body
from aegis_worker.views.jobs import job_body
from aegis_worker.views.payments import payment_body

from .status import print_job, print_payment


@click.command(
    name="timeline",
    epilog=examples(
        """
        aegis timeline pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5
        aegis timeline job_0199f5c8b2a17d01b6a7b0a1c2d3e4f5 --json
        aegis timeline pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5 --exchanges
        """
    ),
)
@click.argument("id_", metavar="ID")
@click.option(
    "--exchanges",
    "whole",
    is_flag=True,
    help="Show headers and bodies of what went out to gateways and came back, without secrets and personal data.",
)
@json_option
def command(id_: str, whole: bool, as_json: bool) -> None:
    """Show what happened to a payment: every event, every call to a gateway, and every answer.

    What went out and came back is kept for AEGIS_EXCHANGE_KEEP_D days, or until `aegis erase`. JSON always has all of it.
    """
    with opened_database() as database:
        found = look_up(database, id_)
    stored = found.stored
    if as_json:
        print_json(
            {
                "payment": payment_body(stored.payment, stored.created_at, stored.updated_at),
                "job": found.job and job_body(found.job),
                "events": [event_body(event) for event in found.events],
                "attempts": [attempt_body(attempt, found.exchanges) for attempt in found.attempts],
            }
        )
        return
    print_payment(found)
    print_events(found.events, stored.payment.amount.currency)
    print_attempts(found.attempts)
    print_exchanges(found.exchanges, whole=whole)
    print_job(found)
