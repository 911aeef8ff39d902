"""`aegis routing simulate`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from aegis_api.simulation_body import simulation_body
from aegis_worker.domain.money import MAX_MINOR
from aegis_worker.queries.past_payments import MOST_PAYMENTS, newest
from aegis_worker.queries.simulation import DEFAULT_SPAN_S, Simulated, simulate
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.config import load_routing, parse_routing

from ..installation import opened_database
from ..output import examples, json_option, money, print_facts, print_json, print_table, progress, remark
from ..reconcile import parse_since
from .documents import configured_gateways, read_document, routing_file


@click.command(
    name="simulate",
    epilog=examples(
        """
        aegis routing simulate --config draft.toml
        aegis routing simulate --since 24h --config draft.toml --json
        aegis routing simulate          what holds now, on the payments of the last 7 days
        """
    ),
)
@click.option(
    "--config",
    "path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The draft, as config/routing.toml. Default: what holds now.",
)
@click.option(
    "--since",
    callback=parse_since,
    metavar="SPAN|TIME",
    help="Payments accepted since then: 90m, 24h, 2d or 2026-05-01T12:00 (UTC). Default: 7d.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, MOST_PAYMENTS),
    default=MOST_PAYMENTS,
    show_default=True,
    help="The newest N of them.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=1,
    show_default=True,
    help="For what is left to chance.",
)
@json_option
def command(path: Path | None, since: datetime | None, limit: int, seed: int, as_json: bool) -> None:
    """Decide anew about past payments, and show what would have changed.

    Nothing is sent and nothing written. Each gateway is taken to be as it was over the whole period; what else is assumed
    is printed below.
    """
    gateways = configured_gateways()
    from_file = load_routing(routing_file(), gateways)
    draft = path and parse_routing(read_document(path, as_json=as_json), gateways=gateways, where=str(path))
    since = since or datetime.now(UTC) - timedelta(seconds=DEFAULT_SPAN_S)
    with opened_database() as database:
        config = draft or RoutingBook(database, from_file, gateways).current().config
        span = newest(database, since=since, limit=limit)
        with progress("payments", span.payments) as advance:
            simulated = simulate(database, span, list(gateways.values()), config, seed=seed, replayed=advance)
    if as_json:
        print_json(simulation_body(simulated))
    else:
        print_simulation(simulated)


def print_simulation(simulated: Simulated) -> None:
    """What came of it, for a person, with what it assumes."""
    body = simulation_body(simulated)
    print_facts(
        "Simulation",
        {
            "payments accepted since (UTC)": simulated.span.since,
            "payments": body["payments"],
            "strategy": body["config"]["strategy"],
            "would go elsewhere": body["moved"],
            "that nobody takes": body["no_gateway"] or None,
            "never sent": body["never_sent"] or None,
            "explorations": body["explored"] or None,
        },
    )
    columns = ("gateway", "was", "would be", "change", "approved", "expected", "mean ms", "p95 ms")
    rows = [
        (
            one["gateway"],
            one["was"],
            one["would_be"],
            f"{one['would_be'] - one['was']:+d}",
            _percent(one["success_rate"]),
            _percent(one["expected_success_rate"]),
            one["latency_mean_ms"],
            one["latency_p95_ms"],
        )
        for one in body["gateways"]
    ]
    print_table("Payments by first gateway", columns, rows)
    print_table("What that comes to", ("", "was", "would be", "of payments"), list(_outcomes(body)))
    if body["moves"]:
        moves = [(one["from"] or "none", one["to"] or "none", one["payments"]) for one in body["moves"]]
        print_table("Moves", ("from", "to", "payments"), moves)
    if body["rules"]:
        print_table("Rules", ("rule", "decided"), [(one["id"], one["payments"]) for one in body["rules"]])
    if body["not_taken"]:
        reasons = [(one["reason"], one["payments"]) for one in body["not_taken"]]
        print_table("Why nobody takes them", ("reason", "payments"), reasons)
    for assumption in body["assumptions"]:
        remark(f"- {assumption}")


def _outcomes(body: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    success, latency = body["success"], body["latency"]
    yield (
        "approved at the first gateway",
        _percent(success["was_rate"]),
        _percent(success["would_be_rate"]),
        success["payments"],
    )
    yield "mean latency, ms", latency["was_mean_ms"], latency["would_be_mean_ms"], latency["payments"]
    for fees in body["fees"]:
        currency = fees["currency"]
        yield (
            f"fees in {currency}",
            _sum(fees["was_minor"], currency),
            _sum(fees["would_be_minor"], currency),
            fees["payments"],
        )


def _percent(rate: float | None) -> str | None:
    return None if rate is None else f"{100 * rate:.1f} %"


def _sum(minor: int, currency: str) -> str:
    return money(minor, currency) if minor <= MAX_MINOR else f"{minor} minor units of {currency}"
