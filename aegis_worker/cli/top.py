"""`aegis top`: everything at a glance, live."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from aegis_worker.errors import OperatorError
from aegis_worker.terminal.output import examples, json_option, print_json
from aegis_worker.terminal.top.look import look
from aegis_worker.terminal.worker_parts import opened_worker
from aegis_worker.views.gateways import gateway_body
from aegis_worker.views.reviews import review_body
from aegis_worker.views.safety import doubt_body, safety_body


@click.command(name="top", epilog=examples("aegis top --interval 5\naegis top --json"))
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.5, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="The seconds between two looks.",
)
@json_option
def command(interval_s: float, as_json: bool) -> None:
    """Show whether money is safe, queues, gateways, doubts, reviews and endpoints that are behind, live.

    Keys: 1 to 5 choose a table, Enter says more about a line, p pauses, r looks at once, q ends. Nothing here changes
    anything. --json looks once and prints what it saw.
    """
    with opened_worker(log_level="ERROR", hinting=False) as parts:
        if as_json:
            seen = look(parts)
            print_json(
                {
                    "safety": safety_body(seen.safety),
                    "queues": [asdict(each) for each in seen.queues],
                    "gateways": [gateway_body(report) for report in seen.gateways],
                    "doubts": [doubt_body(doubt) for doubt in seen.doubts],
                    "reviews": [review_body(waiting) for waiting in seen.reviews],
                    "endpoints": [asdict(each) for each in seen.endpoints],
                }
            )
            return
        if not sys.stdout.isatty():
            raise OperatorError("aegis top draws on a terminal; use --json where there is none")
        # Imported here, because the library takes a while and --json does without it.
        from aegis_worker.terminal.top.details import detail
        from aegis_worker.terminal.top.screen import Top

        Top(
            lambda: look(parts),
            lambda panel, key, seen: detail(parts, panel, key, seen),
            interval_s=interval_s,
        ).run()
