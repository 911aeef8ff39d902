"""`aegis explain`: why a payment is in its state, for people."""

from __future__ import annotations

from typing import Any

import click

from aegis_worker.errors import NotFound
from aegis_worker.queries.case_file import CaseFile, read_case_file
from aegis_worker.queries.explain import Explanation, explain
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import (
    duration,
    examples,
    json_option,
    money,
    plain,
    print_facts,
    print_json,
    print_table,
    remark,
)
from aegis_worker.terminal.story import print_exchanges
from aegis_worker.views.explanations import explanation_body, resolutions


@click.command(name="explain", epilog=examples("aegis explain pay_0199f5c8b2a17d01b6a7b0a1c2d3e4f5"))
@click.argument("payment_id", metavar="ID")
@json_option
def command(payment_id: str, as_json: bool) -> None:
    """Say why a payment is in its state, how certain that is, on what evidence, and what happens next and when."""
    with opened_database() as database, database.read() as connection:
        case = read_case_file(connection, None, payment_id)
    if case is None:
        raise NotFound(f"there is no payment {payment_id!r}; ids look like pay_0199…")
    explanation = explain(case)
    if as_json:
        print_json(explanation_body(explanation, for_operators=True))
        return
    _tell(explanation)
    may = resolutions(case)
    if may:
        flags = ", ".join(f"--{kind.replace('_', '-')}" for kind in may)
        remark(f"To decide: aegis resolve {payment_id} with one of {flags} and --reason")


def _tell(explanation: Explanation) -> None:
    case = explanation.case
    payment = case.stored.payment
    print_facts(
        f"{payment.id}: {payment.state.value}",
        {
            "amount": money(payment.amount.minor, payment.amount.currency),
            "merchant": payment.merchant_id,
            "why": explanation.why,
            "certainty": f"{payment.certainty}: {explanation.certainty_because}",
            "next": explanation.next.what,
            "by": None if explanation.next.who == "nobody" else explanation.next.who,
            "when": _when(explanation),
            "frozen (UTC)": case.frozen_at,
        },
    )
    evidence = [(plain(seen.at), seen.source.replace("_", "-"), seen.what) for seen in explanation.evidence]
    print_table("Evidence", ("at (UTC)", "from", "what"), evidence)
    decided = [
        (plain(decision.at), decision.kind, decision.what, decision.why) for decision in explanation.decisions
    ]
    print_table("Decisions", ("at (UTC)", "kind", "decided", "because"), decided)
    if case.exchanges:
        print_exchanges(case.exchanges, whole=False)
    if case.incidents:
        found = [(incident.found_at, incident.invariant, incident.summary) for incident in case.incidents]
        print_table("Incidents", ("found (UTC)", "invariant", "what"), found)
    if case.decisions_of_people:
        print_table("Decided by people", ("at (UTC)", "who", "what", "reason"), _people(case))


def _people(case: CaseFile) -> list[tuple[Any, ...]]:
    return [
        (entry.at, entry.actor, entry.details.get("resolution", entry.action), entry.details.get("reason"))
        for entry in case.decisions_of_people
    ]


def _when(explanation: Explanation) -> str | None:
    at = explanation.next.at
    if at is None:
        return None
    ahead_s = (at - explanation.case.now).total_seconds()
    relative = f"in {duration(ahead_s)}" if ahead_s > 0 else f"due since {duration(-ahead_s)}"
    return f"{plain(at)} UTC ({relative})"
