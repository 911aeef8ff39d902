"""`aegis crashtest`: kill real processes at every crash point, or at random, and hold what comes out against the books."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from aegis_worker.chaos.points import POINTS
from aegis_worker.cli.local_stack import Stopped, stop_on_signals
from aegis_worker.cli.output import examples, progress, remark

from .nudge import Nudge
from .points import PointResult, run_point
from .report import list_points, points_as_json, print_points, write_json
from .stage import staged


class PointNames(click.ParamType):
    """`all`, or names with commas between them."""

    name = "all|name,…"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """The names in the order given, each once."""
        if isinstance(value, list):
            return value
        wanted = list(dict.fromkeys(part.strip() for part in str(value).split(",")))
        if wanted == ["all"]:
            return list(POINTS)
        unknown = [name for name in wanted if name not in POINTS]
        if unknown:
            self.fail(f"no crash point {', '.join(map(repr, unknown))}; --list shows them", param, ctx)
        return wanted


@click.command(
    name="crashtest",
    epilog=examples(
        """
        aegis crashtest --list
        aegis crashtest --points all --payments 50 --json out.json
        aegis crashtest --points attempt.opened,gateway.answered
        """
    ),
)
@click.option("--list", "listing", is_flag=True, help="Show the crash points and exit.")
@click.option("--points", type=PointNames(), default="all", show_default=True, help="Where to kill.")
@click.option(
    "--payments",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="For each point.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Processes of the Celery worker.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same payments.")
@click.option(
    "--own-times", is_flag=True, help="Keep your leases and timeouts. A crash then takes a lease longer."
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path),
    help="Gets the figures; - for standard output.",
)
@click.pass_context
def command(
    ctx: click.Context,
    listing: bool,
    points: list[str],
    payments: int,
    workers: int,
    seed: int,
    own_times: bool,
    json_file: Path | None,
) -> None:
    """Kill processes at every crash point under load, and check what comes out.

    Uses your configuration (AEGIS_CONFIG_DIR and AEGIS_… variables) in a temporary installation with stores of its own;
    of your gateways only the sandboxes are used, and leases and timeouts are shortened. Exits with 1 when an invariant
    is broken or a point was never reached, with 3 when it could not run.
    """
    if listing:
        list_points(json_file)
        return
    with stop_on_signals() as stopping:
        started = time.monotonic()
        results: list[PointResult] = []
        try:
            with (
                staged(os.environ, stopping, _say, workers=workers, own_times=own_times) as stage,
                Nudge(stage.running.redis_url),
                progress("points", len(points)) as advance,
            ):
                for point in points:
                    results.append(run_point(stage, point, payments, seed))
                    _say(_in_a_line(results[-1]))
                    advance()
        except Stopped:
            _say("stopped before the end")
            ctx.exit(3)
        finally:
            if results:
                print_points(results)
    if json_file is not None:
        write_json(json_file, points_as_json(results, seed, time.monotonic() - started))
    passed = all(result.passed for result in results)
    _say("passed" if passed else "FAILED: what is wrong stands above")
    ctx.exit(0 if passed else 1)


def _in_a_line(result: PointResult) -> str:
    if not result.kills:
        return f"{result.name}: nobody got there"
    wrong = f"{len(result.violations)} violations" if result.violations else "nothing is wrong"
    return f"{result.name}: {result.kills} killed, {result.payments} payments, {wrong}"


def _say(text: str) -> None:
    remark(f"aegis crashtest: {text}")
