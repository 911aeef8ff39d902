"""`aegis replay`: fold a payment's events, up to now or a given time, and compare the result with its row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from aegis_worker.audit.checks import broken_history
from aegis_worker.audit.subjects import read_subjects
from aegis_worker.audit.violations import Bounds, Finding
from aegis_worker.domain.payment import Event, Payment
from aegis_worker.domain.replay import FOLDED_FIELDS, states
from aegis_worker.errors import IllegalTransition, NotFound
from aegis_worker.persistence.database import Database
from aegis_worker.queries.as_of import last_seq_at, payment_at
from aegis_worker.queries.history import MOST_EVENTS, StoredEvent, list_events
from aegis_worker.queries.payments import StoredPayment, get_payment
from aegis_worker.queries.sentences import of_event
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import (
    examples,
    json_option,
    plain,
    print_facts,
    print_json,
    print_table,
    remark,
)
from aegis_worker.views.payments import payment_body

from .reconcile import parse_since


@click.command(
    name="replay",
    epilog=examples(
        """
        aegis replay pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5
        aegis replay pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5 --as-of 2026-05-01T12:00
        """
    ),
)
@click.argument("payment_id", metavar="ID")
@click.option(
    "--as-of",
    "as_of",
    callback=parse_since,
    metavar="TIME",
    help="Show the payment as it was at this time, 2026-05-01T12:00 (UTC) or 90m, 2d ago, without comparing.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, payment_id: str, as_of: datetime | None, as_json: bool) -> None:
    """Rebuild a payment from its events, show the state after each, and compare the result with its row and snapshots.

    Exits with 1 when they differ. The command changes nothing; `aegis audit` freezes such a payment.
    """
    with opened_database() as database:
        if as_of is not None:
            _show_past(database, payment_id, as_of, as_json)
            return
        stored, events = _stored(database, payment_id)
        with database.read() as connection:
            subjects = read_subjects(connection, bounds=Bounds(), limit=1, only=[payment_id], whole=True)
    found = [finding for subject in subjects for finding in broken_history(subject)]
    steps, error = _steps(stored.payment, events)
    if as_json:
        print_json(_document(stored.payment, steps, found, error))
    else:
        _print(stored.payment, events, steps, found)
    ctx.exit(1 if found else 0)


def _stored(database: Database, payment_id: str) -> tuple[StoredPayment, list[StoredEvent]]:
    with database.read() as connection:
        stored = get_payment(connection, None, payment_id)
        if stored is None:
            raise NotFound(f"there is no payment {payment_id!r}")
        return stored, list(list_events(connection, None, payment_id, limit=MOST_EVENTS))


def _steps(now: Payment, events: list[StoredEvent]) -> tuple[list[Payment], str | None]:
    """The payment after each event, up to the first event that can't follow, and the reason why it can't."""
    steps: list[Payment] = []
    told = (Event(now.id, event.seq, event.type, event.data) for event in events)
    try:
        steps.extend(states(now, told))
    except IllegalTransition as error:
        return steps, str(error)
    return steps, None


def _document(row: Payment, steps: list[Payment], found: list[Finding], error: str | None) -> dict[str, Any]:
    return {
        "payment_id": row.id,
        "events": len(steps),
        "error": error,
        "row": {name: getattr(row, name) for name in FOLDED_FIELDS},
        "folded": {name: getattr(steps[-1], name) for name in FOLDED_FIELDS} if steps else None,
        "differences": [
            {"invariant": finding.invariant, "summary": finding.summary, "evidence": finding.evidence}
            for finding in found
        ],
    }


def _print(row: Payment, events: list[StoredEvent], steps: list[Payment], found: list[Finding]) -> None:
    currency = row.amount.currency
    print_table(
        "Replay",
        ("#", "at (UTC)", "event", "what happened", "state after"),
        [
            (event.seq, event.at, event.type.wire, of_event(event.type, event.data, currency), step.state)
            for event, step in zip(events, steps, strict=False)
        ],
    )
    last = steps[-1] if steps else None
    differing = [
        (name, getattr(row, name), getattr(last, name))
        for name in FOLDED_FIELDS
        if last is not None and getattr(row, name) != getattr(last, name)
    ]
    print_table("Differences", ("field", "the row says", "the events say"), differing)
    for finding in found:
        remark(f"{finding.invariant}: {finding.summary}")


def _show_past(database: Database, payment_id: str, moment: datetime, as_json: bool) -> None:
    with database.read() as connection:
        stored = get_payment(connection, None, payment_id)
        if stored is None:
            raise NotFound(f"there is no payment {payment_id!r}")
        past = payment_at(connection, stored.payment, last_seq_at(connection, payment_id, moment))
    if as_json:
        payment = past and payment_body(past.payment, stored.created_at, past.at)
        print_json({"as_of": moment, "payment": payment})
    elif past is None:
        remark(f"{payment_id} did not exist yet.")
    else:
        facts = {name.replace("_", " "): getattr(past.payment, name) for name in FOLDED_FIELDS}
        print_facts(f"{payment_id} as of {plain(moment)} UTC", {**facts, "since (UTC)": past.at})
