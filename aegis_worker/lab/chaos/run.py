"""`aegis chaos run`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from aegis_worker.lab.crash.report import write_json
from aegis_worker.lab.crash.stage import staged
from aegis_worker.lab.local.options import figures_option, gateways_option, workers_option
from aegis_worker.lab.local.stopping import ending_when_stopped, stop_on_signals
from aegis_worker.terminal.output import examples, remark

from .choosing import named
from .experiment import Experiment
from .judging import judged
from .live import live
from .report.page import page
from .running import Run
from .texts import Result, print_result, result_as_json


@click.command(
    name="run",
    epilog=examples(
        """
        aegis chaos run gateway_timeout
        aegis chaos run apocalypse --seed 7 --minutes 3 --report report.html --json report.json
        aegis chaos run rate_limited --gateways stripe,adyen
        """
    ),
)
@click.argument("name")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="In place of the experiment's own.")
@click.option(
    "--minutes",
    type=click.FloatRange(0.2, 1440),
    help="How long the load lasts; all times of the experiment are stretched to it.",
)
@workers_option
@gateways_option
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a report with plots to this file: HTML that needs nothing else.",
)
@figures_option("standard output, and then no tables")
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    seed: int | None,
    minutes: float | None,
    workers: int,
    gateways: tuple[str, ...],
    report_file: Path | None,
    json_file: Path | None,
) -> None:
    """Run an experiment on a throw-away installation, and judge what came out.

    First the steady state must hold, then things are broken, then healed; in the end everything must come to rest. Uses
    your configuration as `aegis crashtest` does: only the sandboxes, or the emulators that --gateways names.
    PayPal and Razorpay issue no tokens for plain cards, so they are refused.

    Exits with 1 when the hypothesis did not hold or an invariant is broken, and with 3 when the experiment could not run.
    """
    experiment = named(name).lasting(minutes)
    seed = experiment.seed if seed is None else seed
    _say(f"{experiment.name}, seed {seed}, {experiment.phases.whole_s:.0f} s of load")
    with ending_when_stopped(ctx, _say):
        result = _result(experiment, seed, workers, gateways)
    if report_file is not None:
        report_file.write_text(page(result), encoding="utf-8")
    if json_file is not None:
        write_json(json_file, result_as_json(result))
    if json_file is None or str(json_file) != "-":
        print_result(result)
    _say(result.verdict.in_words)
    ctx.exit(0 if result.verdict.holds else 1)


def _result(experiment: Experiment, seed: int, workers: int, gateways: tuple[str, ...]) -> Result:
    with (
        stop_on_signals() as stopping,
        staged(os.environ, stopping, _say, workers=workers, own_times=False, chosen=gateways) as stage,
        live(_say) as tell,
    ):
        facts = Run(stage, experiment, seed).carry_out(tell)
    return Result(experiment, seed, facts, judged(experiment, facts))


def _say(text: str) -> None:
    remark(f"aegis chaos: {text}")
