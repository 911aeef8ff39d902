"""The options of commands that look at past payments."""

from __future__ import annotations

import click

from aegis_worker.queries.past_payments import MOST_PAYMENTS

from .reconcile import parse_since

since_option = click.option(
    "--since",
    callback=parse_since,
    metavar="SPAN|TIME",
    help="Take payments accepted since this time: 90m, 24h, 2d or 2026-05-01T12:00 (UTC). The default is 7d.",
)

limit_option = click.option(
    "--limit",
    type=click.IntRange(1, MOST_PAYMENTS),
    default=MOST_PAYMENTS,
    show_default=True,
    help="Take at most the newest N of these payments.",
)
