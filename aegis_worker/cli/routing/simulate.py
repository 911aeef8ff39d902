"""`aegis routing simulate`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from aegis_worker.queries.past_payments import MOST_PAYMENTS, newest
from aegis_worker.queries.simulation import DEFAULT_SPAN_S, simulate
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.config import load_routing, parse_routing
from aegis_worker.terminal.installation import configured_gateways, opened_database
from aegis_worker.terminal.output import examples, json_option, print_json, progress
from aegis_worker.terminal.simulation import print_simulation
from aegis_worker.views.simulations import simulation_body

from ..config_documents import read_document
from ..reconcile import parse_since
from .documents import routing_file


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
    help="The draft, in the form of config/routing.toml. The default is the configuration in force.",
)
@click.option(
    "--since",
    callback=parse_since,
    metavar="SPAN|TIME",
    help="Take payments accepted since this time: 90m, 24h, 2d or 2026-05-01T12:00 (UTC). The default is 7d.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, MOST_PAYMENTS),
    default=MOST_PAYMENTS,
    show_default=True,
    help="Take at most the newest N of these payments.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=1,
    show_default=True,
    help="The seed for random choices; the same seed gives the same answer.",
)
@json_option
def command(path: Path | None, since: datetime | None, limit: int, seed: int, as_json: bool) -> None:
    """Choose gateways anew for past payments, and show what would have changed.

    Nothing is sent and nothing is written. Each gateway is assumed to have behaved at every moment as it did on average
    over the whole period; the other assumptions are printed below the result.
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
