"""`aegis rules simulate`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from aegis_worker.queries.past_payments import a_week_ago, newest
from aegis_worker.queries.rules_simulation import SimulatedRules, simulate_rules
from aegis_worker.rules.book import RulesBook
from aegis_worker.terminal.amounts import sum_in_words
from aegis_worker.terminal.installation import opened_database
from aegis_worker.terminal.output import (
    examples,
    json_option,
    print_facts,
    print_json,
    print_table,
    progress,
    remark,
)
from aegis_worker.views.rules_simulations import rules_simulation_body

from ..past_payments import limit_option, since_option
from .documents import COMMANDS

_COLUMNS = ("payments", "charged", "failed", "disputed", "amounts")


@click.command(
    name="simulate",
    epilog=examples(
        """
        aegis rules simulate draft.toml --since 7d
        aegis rules simulate draft.toml --since 24h --json
        aegis rules simulate            what holds now, on the payments of the last 7 days
        """
    ),
)
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(dir_okay=False, path_type=Path))
@since_option
@limit_option
@json_option
def command(path: Path | None, since: datetime | None, limit: int, as_json: bool) -> None:
    """Screen past payments anew, by the rules of FILE or by those in force, and show what would have been found.

    Nothing is sent, written or counted. The payments are replayed in the order in which they were accepted, with counters
    that begin empty; what else is taken for granted is printed below the result.
    """
    installed = COMMANDS.installed()
    draft = COMMANDS.read(path, as_json=as_json) if path is not None else None
    since = since or a_week_ago()
    with opened_database() as database:
        config = draft or RulesBook(database, installed.from_file).current().config
        span = newest(database, since=since, limit=limit)
        with progress("payments", span.payments) as advance:
            simulated = simulate_rules(database, span, config, replayed=advance)
    if as_json:
        print_json(rules_simulation_body(simulated))
    else:
        _print(simulated)


def _print(simulated: SimulatedRules) -> None:
    body = rules_simulation_body(simulated)
    print_facts(
        "Simulation",
        {
            "payments accepted since (UTC)": simulated.span.since,
            "payments": body["payments"],
            "rules that are on": len(body["rules"]),
        },
    )
    actions = [(one["action"], *_row(one)) for one in body["actions"] if one["payments"]]
    print_table("What would have held", ("action", *_COLUMNS), actions)
    rules = [(one["rule"], *_row(one), next(iter(one["examples"]), None)) for one in body["rules"]]
    print_table(
        "What each rule would have found", ("rule", *_COLUMNS, "such as"), rules, spare=("such as", "failed")
    )
    if body["changed"]:
        changed = [(one["from"] or "not screened", one["to"], one["payments"]) for one in body["changed"]]
        print_table("What would have been different", ("was", "would be", "payments"), changed)
    for assumption in body["assumptions"]:
        remark(f"- {assumption}")


def _row(tally: dict[str, Any]) -> tuple[Any, ...]:
    amounts = ", ".join(sum_in_words(one["minor"], one["currency"]) for one in tally["amounts"])
    return tally["payments"], tally["succeeded"], tally["failed"], tally["disputed"], amounts or None
