"""`aegis audit`: the invariants, checked on a live installation."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from aegis_worker.audit.batches import how_many
from aegis_worker.audit.run import AuditReport, audit_all
from aegis_worker.audit.violations import INVARIANTS
from aegis_worker.ids import PAYMENT, first_id_at, made_at
from aegis_worker.terminal.output import (
    examples,
    json_option,
    plain,
    print_facts,
    print_json,
    print_table,
    progress,
    remark,
)
from aegis_worker.terminal.worker_parts import opened_worker

from .reconcile import parse_since

_SHOWN = 50
_DEFAULT_SPAN = timedelta(hours=24)


@click.command(
    name="audit",
    epilog=examples(
        """
        aegis audit                      payments accepted in the last 24 hours
        aegis audit --all --gateways     everything, and ask the gateways about every charge
        aegis audit --since 7d --json
        """
    ),
)
@click.option(
    "--since",
    callback=parse_since,
    metavar="SPAN|TIME",
    help="Check payments accepted since this time: 90m, 24h, 2d or 2026-05-01T12:00 (UTC). The default is 24h.",
)
@click.option("--all", "everything", is_flag=True, help="Check all payments.")
@click.option(
    "--gateways",
    "ask_gateways",
    is_flag=True,
    help="Also ask the gateways about every charge of payments that have ended.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 5000),
    help="How many payments to read at a time. The default is AEGIS_AUDIT_BATCH.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    since: datetime | None,
    everything: bool,
    ask_gateways: bool,
    batch: int | None,
    as_json: bool,
) -> None:
    """Check invariants I1 to I7 and open an incident for each violation, while everything keeps running.

    Payments are read in batches, and each history is rebuilt from its first event. A payment whose row contradicts its
    events is frozen: no work is done on it until a person has decided. Exits with 1 when something is wrong.
    """
    if since is not None and everything:
        raise click.UsageError("give --since or --all, not both")
    since = None if everything else since or datetime.now(UTC) - _DEFAULT_SPAN
    after = "" if since is None else first_id_at(PAYMENT, since)
    with opened_worker(hinting=False) as worker:
        parts = replace(worker.audit, batch=batch or worker.audit.batch)
        with parts.database.read() as connection:
            total = how_many(connection, after)
        with progress("payments", total) as advance:
            report = audit_all(parts, after=after, ask_gateways=ask_gateways, looked_at=advance)
    if as_json:
        print_json(_document(report, since))
    else:
        _print(report, since, ask_gateways)
    ctx.exit(1 if report.violations else 0)


def _document(report: AuditReport, since: datetime | None) -> dict[str, Any]:
    return {
        "since": since,
        **report.numbers,
        "compared": report.compared,
        "unanswered": report.unanswered,
        "first_id": report.first_id,
        "last_id": report.last_id,
        "frozen": report.frozen,
        "violations": [asdict(violation) for violation in report.violations],
    }


def _print(report: AuditReport, since: datetime | None, ask_gateways: bool) -> None:
    print_facts(
        "Audit",
        {
            "payments accepted since (UTC)": since or "the beginning",
            "payments": report.payments,
            "from": _named(report.first_id),
            "to": _named(report.last_id),
            "idempotency keys": report.keys,
            "asked the gateways about": report.compared if ask_gateways else None,
            "without an answer": report.unanswered if ask_gateways else None,
            "incidents opened": report.opened,
            "incidents over": report.resolved,
            "frozen": ", ".join(report.frozen) or None,
        },
    )
    rows = [
        (violation.invariant, violation.payment_id, violation.summary, json.dumps(dict(violation.evidence)))
        for violation in report.violations[:_SHOWN]
    ]
    print_table("Violations", ("invariant", "payment", "what", "evidence"), rows)
    if len(report.violations) > _SHOWN:
        remark(f"{len(report.violations) - _SHOWN} more; --json has all of them.")
    for invariant in sorted({violation.invariant for violation in report.violations}):
        remark(f"{invariant}: {INVARIANTS[invariant]}")
    if report.frozen:
        remark("Frozen payments wait for a person: `aegis replay ID` shows where row and events differ.")


def _named(payment_id: str | None) -> str | None:
    return payment_id and f"{payment_id} ({plain(made_at(payment_id))} UTC)"
