"""`aegis routing simulate`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from aegis_worker.queries.past_payments import a_week_ago, newest
from aegis_worker.queries.simulation import simulate
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.config import load_routing
from aegis_worker.terminal.installation import configured_gateways, opened_database
from aegis_worker.terminal.output import examples, json_option, print_json, progress
from aegis_worker.terminal.simulation import print_simulation
from aegis_worker.views.simulations import simulation_body

from ..past_payments import limit_option, since_option
from .documents import COMMANDS, routing_file


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
@since_option
@limit_option
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
    draft = COMMANDS.read(path, as_json=as_json) if path is not None else None
    since = since or a_week_ago()
    with opened_database() as database:
        config = draft or RoutingBook(database, from_file, gateways).current().config
        span = newest(database, since=since, limit=limit)
        with progress("payments", span.payments) as advance:
            simulated = simulate(database, span, list(gateways.values()), config, seed=seed, replayed=advance)
    if as_json:
        print_json(simulation_body(simulated))
    else:
        print_simulation(simulated)
