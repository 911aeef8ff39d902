"""`aegis routing arms`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from aegis_worker.errors import NotFound
from aegis_worker.queries.experiments import outcomes_by_arm
from aegis_worker.queries.past_payments import MOST_PAYMENTS, a_week_ago, newest
from aegis_worker.routing.book import RoutingBook
from aegis_worker.routing.config import load_routing
from aegis_worker.terminal.installation import configured_gateways, opened_database
from aegis_worker.terminal.output import examples, json_option, print_json, print_table, remark
from aegis_worker.views.experiments import experiment_body

from ..past_payments import since_option
from .documents import routing_file


@click.command(
    name="arms",
    epilog=examples(
        """
        aegis routing arms
        aegis routing arms b-instead-of-a --since 30d
        """
    ),
)
@click.argument("experiment", required=False)
@since_option
@json_option
def command(experiment: str | None, since: datetime | None, as_json: bool) -> None:
    """Show the results of an A/B test for each arm: of the current test, or of an earlier one by its name.

    Only the first gateway of each payment counts, and at most the newest 100,000 payments are examined. The brackets show
    the 95 % confidence interval of the rate: arms whose brackets overlap may be equally good.
    """
    gateways = configured_gateways()
    from_file = load_routing(routing_file(), gateways)
    since = since or a_week_ago()
    with opened_database() as database:
        config = RoutingBook(database, from_file, gateways).current().config
        experiment = experiment or (config.ab_test.experiment if config.ab_test else None)
        if experiment is None:
            raise click.UsageError("no experiment is set now; give the name of an earlier one")
        span = newest(database, since=since, limit=MOST_PAYMENTS)
        with database.read() as connection:
            outcomes = outcomes_by_arm(connection, experiment, span)
    body = experiment_body(experiment, config, outcomes, span)
    if not body["arms"]:
        raise NotFound(f"no payment was part of an experiment {experiment!r} in this time")
    if as_json:
        print_json(body)
        return
    columns = (
        "arm",
        "share",
        "payments",
        "approved",
        "declined",
        "not sent",
        "undecided",
        "success",
        "mean ms",
    )
    print_table(f"Experiment {experiment}", columns, [_row(arm) for arm in body["arms"]])
    if not body["running"]:
        remark("It does not run now.")


def _row(arm: dict[str, Any]) -> tuple[Any, ...]:
    interval = arm["success_interval"]
    success = (
        interval
        and f"{_percent(arm['success_rate'])} ({_percent(interval['low'])} – {_percent(interval['high'])})"
    )
    counts = (arm[name] for name in ("payments", "approved", "declined", "failed", "undecided"))
    return arm["arm"], _percent(arm["share"]), *counts, success, arm["latency_mean_ms"]


def _percent(rate: float | None) -> str | None:
    return None if rate is None else f"{100 * rate:.1f} %"
