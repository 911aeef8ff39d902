"""`aegis reconcile`: look for stuck payments and compare with the gateways, now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import click

from aegis_worker.hints import Hints
from aegis_worker.reconcile import ReconciliationRun
from aegis_worker.reconcile import reconcile as run_reconciliation
from aegis_worker.terminal.output import examples, json_option, print_facts, print_json, print_table, remark
from aegis_worker.terminal.worker_parts import opened_worker

_SPAN = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHOWN = 50


def parse_since(ctx: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """Parse `90m`, `24h` or `2d` before now, or an ISO 8601 time (UTC unless it gives an offset). Returns UTC."""
    if value is None:
        return None
    now = datetime.now(UTC)
    span = _SPAN.fullmatch(value)
    try:
        moment = now - timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else _in_utc(value)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            "give a span such as 90m, 24h or 2d, or a time such as 2026-05-01T12:00 or 2026-05-01T14:00+02:00"
        ) from None
    if moment > now:
        raise click.BadParameter("is in the future")
    return moment


def _in_utc(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class _SentNow:
    """Hints that are published before `notify` returns, because this process ends before a background thread would."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints

    def notify(self, queue: str) -> None:
        try:
            self._hints.send(queue)
        except Exception as error:
            # Even if the broker fails, the jobs are in the database and the next sweep finds them.
            remark(
                f"no hint for {queue}: {type(error).__name__}; a worker or `aegis relay` finds the jobs by itself"
            )


@click.command(
    name="reconcile",
    epilog=examples(
        """
        aegis reconcile
        aegis reconcile --dry-run --since 24h    compare what was accepted since yesterday
        """
    ),
)
@click.option("--dry-run", is_flag=True, help="Look and compare, but repair nothing.")
@click.option(
    "--since",
    callback=parse_since,
    metavar="SPAN|TIME",
    help="Also ask about every charge of payments accepted since this time: 90m, 24h, 2d or 2026-05-01T12:00 (UTC).",
)
@json_option
@click.pass_context
def command(ctx: click.Context, dry_run: bool, since: datetime | None, as_json: bool) -> None:
    """Find lost hints and payments without a job, ask the gateways about everything in doubt, and repair.

    Exits with 1 when a gateway's answer contradicts AegisPay's records.
    """
    with opened_worker() as worker:
        parts = worker.reconcile
        if isinstance(worker.hints, Hints):
            parts = replace(parts, hints=_SentNow(worker.hints))
        run = run_reconciliation(parts, trigger="operator", dry_run=dry_run, since=since)
    if as_json:
        print_json(asdict(run))
    else:
        _print(run)
    ctx.exit(1 if run.mismatches else 0)


def _in_words(says: Mapping[str, str]) -> str:
    if "found" not in says:
        return f"{says['gateway']}: {says['says']}"
    return f"{says['gateway']}: {says['found']} (expected {says['expected']})"


def _print(run: ReconciliationRun) -> None:
    print_facts(
        "Reconciliation", {"id": run.id, "compared since (UTC)": run.since, "dry run": run.dry_run or None}
    )
    print_table(
        "Found", ("what", "number"), [(name.replace("_", " "), count) for name, count in run.found.items()]
    )
    if not run.dry_run:
        fixed = [(name.replace("_", " "), count) for name, count in run.fixed.items()]
        print_table("Fixed", ("what", "number"), fixed)
    if run.mismatches:
        rows = [
            (
                item["payment_id"],
                item["state"],
                ", ".join(_in_words(says) for says in item["gateways"]),
            )
            for item in run.mismatches[:_SHOWN]
        ]
        print_table("Mismatches", ("payment", "we say", "the gateways say"), rows)
        remark(
            "Look at each with `aegis timeline ID`. Unless this was a dry run, a charge too many is asked about again and"
            " AEGIS_LATE_CHARGE_POLICY followed; correct the others at the gateway."
        )
