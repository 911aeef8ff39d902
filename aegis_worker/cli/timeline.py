"""`aegis timeline`: what happened to a payment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import click

from aegis_api.representations import attempt_body, event_body, job_body, payment_body
from aegis_worker.queries.history import StoredAttempt, StoredEvent
from aegis_worker.queries.sentences import of_attempt, of_event

from .installation import opened_database
from .look_up import look_up
from .output import examples, json_option, print_json, print_table
from .status import print_job, print_payment


@click.command(
    name="timeline",
    epilog=examples(
        """
        aegis timeline pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5
        aegis timeline job_0199f5c8b2a17d01b6a7b0a1c2d3e4f5 --json
        """
    ),
)
@click.argument("id_", metavar="ID")
@json_option
def command(id_: str, as_json: bool) -> None:
    """Show what happened to a payment, event by event, and every call to a gateway."""
    with opened_database() as database:
        found = look_up(database, id_)
    stored = found.stored
    if as_json:
        print_json(
            {
                "payment": payment_body(stored.payment, stored.created_at, stored.updated_at),
                "job": found.job and job_body(found.job),
                "events": [event_body(event) for event in found.events],
                "attempts": [attempt_body(attempt) for attempt in found.attempts],
            }
        )
        return
    print_payment(found)
    print_events(found.events, stored.payment.amount.currency)
    print_attempts(found.attempts)
    print_job(found)


def print_events(events: Sequence[StoredEvent], currency: str) -> None:
    """The events, with the time since the one before."""
    before = [None, *(event.at for event in events)]
    rows = [
        (
            event.seq,
            event.at,
            _since(earlier, event.at),
            event.type.wire,
            of_event(event.type, event.data, currency),
        )
        for event, earlier in zip(events, before, strict=False)
    ]
    print_table("Events", ("#", "at (UTC)", "after", "event", "what happened"), rows)


def print_attempts(attempts: Sequence[StoredAttempt]) -> None:
    """The calls to gateways: how often each was sent and asked about, and how it stands."""
    rows = [
        (
            attempt.number,
            attempt.sent_at,
            attempt.gateway,
            attempt.operation,
            attempt.status,
            None if attempt.latency_ms is None else f"{attempt.latency_ms:.0f} ms",
            attempt.sends,
            attempt.checks,
            of_attempt(attempt),
        )
        for attempt in attempts
    ]
    columns = ("hop", "sent (UTC)", "gateway", "operation", "status", "took", "sent", "asked", "meaning")
    print_table("Calls to gateways", columns, rows)


def _since(earlier: datetime | None, at: datetime) -> str:
    """`+12 ms`, `+3.250 s`, `+0:02:10`."""
    if earlier is None:
        return ""
    passed = max(at - earlier, timedelta())
    if passed < timedelta(seconds=1):
        return f"+{passed / timedelta(milliseconds=1):.0f} ms"
    if passed < timedelta(minutes=1):
        return f"+{passed / timedelta(seconds=1):.3f} s"
    return f"+{timedelta(seconds=round(passed / timedelta(seconds=1)))}"
