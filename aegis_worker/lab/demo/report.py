"""The demo's report, for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from aegis_worker.lab.percentiles import percentiles
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.look_up import look_up
from aegis_worker.terminal.output import duration, print_facts, print_table, remark
from aegis_worker.terminal.story import print_attempts, print_events

from .findings import Findings, shown
from .roles import PLAIN, ROLES
from .vaulted import FAILS_OVER

# The report tells one payment event by event: of the first of these roles that occurs. A charge whose answer was lost says
# the most.
_STORIES = (FAILS_OVER, "charged, connection dropped", "declined by the first gateway for now", PLAIN)


def print_report(findings: Findings) -> None:
    """Everything that was found out, worst last."""
    _print_states(findings)
    _print_times(findings)
    _print_story(findings)
    _print_comparison(findings)
    for what, ids in findings.problems().items():
        remark(f"wrong: {what}: {shown(ids)}")


def _print_states(findings: Findings) -> None:
    roles = findings.role_of
    counts = Counter((roles[payment["id"]], payment["state"]) for payment in findings.payments)
    states = sorted(findings.by_state())
    rows: list[Sequence[Any]] = [
        (role, *(counts[role, state] for state in states))
        for role in (PLAIN, *(role.name for role in ROLES), FAILS_OVER)
        if any(counts[role, state] for state in states)
    ]
    rows.append(("all", *(findings.by_state()[state] for state in states)))
    print_table("Payments by state", ("what happened", *states), rows)
    cells = Counter((payment["gateway"] or "none", payment["state"]) for payment in findings.payments)
    rows = [(name, *(cells[name, state] for state in states)) for name in sorted(findings.by_gateway())]
    print_table("Payments by gateway, the last one that had them", ("gateway", *states), rows)


def _print_times(findings: Findings) -> None:
    rows = [
        (name, *percentiles(values).values())
        for name, values in (
            ("accepted: POST to answer", findings.accept_ms()),
            ("end to end: accepted to final", findings.end_to_end_ms()),
        )
    ]
    print_table("Latency in ms", ("", "p50", "p95", "p99"), rows)
    repeats = len(findings.posted) - len(findings.payments)
    replays = sum(posted.replayed for posted in findings.posted)
    print_facts(
        "Throughput",
        {
            "payments per second": f"{findings.throughput_per_s():.1f}, of the plain ones, which wait for nobody",
            "in all": f"{len(findings.payments)} payments in {duration(findings.duration_s)}, webhooks included",
            "posted again": f"{repeats} with the same key; {replays} were answered with the first answer",
            "webhooks": f"{len(set(findings.arrivals.order))} events, {findings.arrivals.repeated} came more than once",
        },
    )


def _print_story(findings: Findings) -> None:
    by_role = {role: payment_id for payment_id, role in reversed(findings.role_of.items())}
    payment_id = next(by_role[role] for role in (*_STORIES, *by_role) if role in by_role)
    with opened_database() as database:
        found = look_up(database, payment_id)
    role = findings.role_of[payment_id]
    print_facts(
        "One payment", {"id": payment_id, "what happened": role, "state": found.stored.payment.state.value}
    )
    print_events(found.events, found.stored.payment.amount.currency)
    print_attempts(found.attempts)


def _print_comparison(findings: Findings) -> None:
    figures = findings.as_json()
    rows = [
        ("charged twice", figures["charged_twice"]),
        ("charged, but not SUCCESS", figures["charged_not_success"]),
        ("SUCCESS, but not charged", figures["success_not_charged"]),
        ("captures that differ", figures["captures_differ"]),
        ("voids that differ", figures["voids_differ"]),
        ("still held, but ended", figures["still_held"]),
        ("refunds that differ", figures["refunds_differ"]),
        ("unresolved", figures["unresolved"]),
        ("webhooks out of order", figures["webhooks_out_of_order"]),
        ("webhooks missing", figures["webhooks_missing"]),
    ]
    counts = [tuple(row.values()) for row in figures["ledgers"]]
    print_table(
        "What we say and what the gateways' own ledgers say", ("gateway", "", "we say", "ledger"), counts
    )
    print_table("Both held against each other, payment by payment", ("", "found"), rows)
