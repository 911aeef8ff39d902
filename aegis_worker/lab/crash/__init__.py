"""`aegis crashtest`: kill real processes at every crash point, or at random, and check the result against the ledgers."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from aegis_worker.crash_points import LISTENING_POINTS, POINTS, SCREENING_POINTS, VAULT_POINTS
from aegis_worker.lab.local.options import figures_option, gateways_option, vault_option, workers_option
from aegis_worker.lab.local.stopping import ending_when_stopped, stop_on_signals
from aegis_worker.terminal.output import examples, progress, remark

from .blame import Blame
from .mix import run_mix
from .nudge import Nudge
from .points import PointResult, run_point
from .report import (
    blame_as_json,
    list_points,
    mix_as_json,
    points_as_json,
    print_blame,
    print_mix,
    print_points,
    write_json,
)
from .stage import Stage, staged


class PointNames(click.ParamType[list[str]]):
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
        aegis crashtest --points all --gateways stripe,adyen,paypal,braintree,razorpay --vault
        aegis crashtest --mix --minutes 10 --seed 1
        """
    ),
)
@click.option("--list", "listing", is_flag=True, help="Show the crash points and exit.")
@click.option(
    "--points",
    type=PointNames(),
    default="all",
    show_default=True,
    help="The crash points at which to kill: all, or names separated by commas.",
)
@click.option(
    "--payments",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="How many payments to make at each point.",
)
@click.option(
    "--mix",
    is_flag=True,
    help="Cause random faults under continuous load, instead of going through crash points.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.5, 1440),
    default=10,
    show_default=True,
    help="With --mix: how many minutes it lasts.",
)
@workers_option
@gateways_option
@vault_option
@click.option(
    "--seed", type=int, default=1, show_default=True, help="The same seed gives the same payments and faults."
)
@click.option(
    "--own-times",
    is_flag=True,
    help="Keep your own leases and timeouts. Recovery from each crash then takes up to a whole lease.",
)
@figures_option("standard output")
@click.pass_context
def command(
    ctx: click.Context,
    listing: bool,
    points: list[str],
    payments: int,
    mix: bool,
    minutes: float,
    workers: int,
    gateways: tuple[str, ...],
    vault: bool,
    seed: int,
    own_times: bool,
    json_file: Path | None,
) -> None:
    """Kill processes at every crash point under load, and check that no invariant is broken.

    Uses your configuration (AEGIS_CONFIG_DIR and AEGIS_… variables) in a temporary installation with stores of its own.
    Of your gateways only the sandboxes are used, or the emulators that --gateways names, and leases and timeouts are
    shortened. Not every gateway leads to every point: Stripe takes no confirms, and Adyen and PayPal close no doors;
    together they lead to all. Those of cards are for --vault, and gateways that take card numbers.

    Your hooks and rules come along. One that fails again and again, or lets hardly a payment through, is named before
    anything else, with how often: then it is what broke.

    Exits with 1 when an invariant is broken, a crash point was never reached, or a hook or rule broke; with 3 when the test
    could not run.
    """
    if listing:
        list_points(json_file)
        return
    _say(f"seed {seed}")
    started = time.monotonic()
    with (
        ending_when_stopped(ctx, _say),
        stop_on_signals() as stopping,
        staged(
            os.environ,
            stopping,
            _say,
            workers=workers,
            own_times=own_times,
            chosen=gateways,
            vault=vault,
        ) as stage,
    ):
        if mix:
            passed, blames, figures = _mixed(stage, minutes, seed)
        else:
            passed, blames, figures = _at_points(stage, _reachable(points, stage), payments, seed)
    if json_file is not None:
        told = {**blame_as_json(blames), **figures}
        write_json(json_file, {"seed": seed, "duration_s": round(time.monotonic() - started, 1), **told})
    broke = [blame for blame in blames if blame.broke]
    for blame in broke:
        _say(f"FAILED: {blame.source} is what broke: {blame.in_words()}")
    if not broke:
        _say("passed" if passed else "FAILED: what is wrong stands above")
    ctx.exit(0 if passed and not broke else 1)


def _reachable(points: list[str], stage: Stage) -> list[str]:
    """Of all points those that are passed with what this installation has: the card vault, hooks or rules. What was named
    by itself is tried, as are those that only hooks which listen pass.
    """
    if points != list(POINTS):
        return points
    left_out = LISTENING_POINTS if stage.vault else LISTENING_POINTS | VAULT_POINTS
    if not stage.screens:
        left_out |= SCREENING_POINTS
    return [name for name in points if name not in left_out]


_Ran = tuple[bool, list[Blame], dict[str, Any]]


def _at_points(stage: Stage, points: list[str], payments: int, seed: int) -> _Ran:
    results: list[PointResult] = []
    blames: list[Blame] = []
    try:
        with Nudge(stage.running.redis_url), progress("points", len(points)) as advance:
            for point in points:
                results.append(run_point(stage, point, payments, seed))
                _say(_in_a_line(results[-1]))
                advance()
                blames = stage.blame([answer for result in results for answer in result.answers])
                if not results[-1].kills and any(blame.broke and blame.stops for blame in blames):
                    _say(
                        "hardly a payment is let through, so nobody gets to further points: they are not tried"
                    )
                    break
    finally:
        if results:
            print_blame(blames)
            print_points(results)
    return all(result.passed for result in results), blames, points_as_json(results)


def _mixed(stage: Stage, minutes: float, seed: int) -> _Ran:
    result = run_mix(stage, minutes * 60, seed, _say)
    blames = stage.blame(result.answers)
    print_blame(blames)
    print_mix(result)
    return not result.violations, blames, mix_as_json(result)


def _in_a_line(result: PointResult) -> str:
    if not result.kills:
        return f"{result.name}: nobody got there"
    wrong = f"{len(result.violations)} violations" if result.violations else "nothing is wrong"
    return f"{result.name}: {result.kills} killed, {result.payments} payments, {wrong}"


def _say(text: str) -> None:
    remark(f"aegis crashtest: {text}")
