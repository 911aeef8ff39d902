"""What every mode shares: its options, its rounds, its result."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click

from aegis_worker.domain.moments import rfc3339
from aegis_worker.errors import OperatorError
from aegis_worker.intake import MOST_AT_ONCE
from aegis_worker.lab.local.stopping import Stopped, stop_on_signals
from aegis_worker.lab.percentiles import percentiles
from aegis_worker.terminal.output import progress, remark

from .figures import Figures, loop_ms, summarized
from .growth import beside, fill
from .load import Sent
from .report import print_result
from .rig import Rig, running_rig
from .setup import Setup

# The figures that stand at the top of the JSON, of the case with the highest throughput.
_HEADLINE = ("throughput_per_s", "latency_ms", "ratio_to_floor", "ratio_to_single", "cpu_ms_by_part")


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every mode has."""

    rounds: int
    payments: int
    json_file: Path | None
    against: Mapping[str, Any] | None
    existing: int | None = None


@dataclass(slots=True)
class Round:
    """One round: figures by case, and what went wrong. `step` moves the progress bar on, once for each case."""

    number: int
    step: Callable[[], None]
    cases: dict[str, Figures] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def note(self, case: str, *sent: Sent, left: str | None = None) -> None:
        """Keep what went wrong in a case."""
        for one in sent:
            self.errors += [f"{case}: {what} × {count}" for what, count in one.errors.items()]
        if left:
            self.errors.append(f"{case}: {left}")


@dataclass(frozen=True, slots=True)
class Mode:
    """How a mode is measured. `unit`: what throughput and costs are counted in; `about`: what is in the figures.

    `prepare` is called once, on the running installation; what it returns measures one round.
    """

    name: str
    unit: str
    about: str
    setup: Setup
    cases: int
    options: Mapping[str, Any]
    prepare: Callable[[Rig], Callable[[Round], None]]


def common_options(
    payments: int, *, may_grow: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--rounds`, `--payments`, `--json`, `--against` and maybe `--existing`, given to the command as `common`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_common(
            rounds: int,
            payments: int,
            json_file: Path | None,
            against: Path | None,
            existing: int | None = None,
            **options: Any,
        ) -> None:
            if json_file is not None and not json_file.absolute().parent.is_dir():
                raise click.BadParameter("its folder does not exist", param_hint="--json")
            command(common=Common(rounds, payments, json_file, _earlier(against), existing), **options)

        for option in (
            click.option(
                "--against", type=_FILE, help="Compare the figures with those of an earlier --json FILE."
            ),
            click.option(
                "--json", "json_file", type=_NEW_FILE, help="Write every figure of every round to this file."
            ),
            click.option(
                "--payments",
                type=click.IntRange(1, 1_000_000),
                default=payments,
                show_default=True,
                help="How many payments each round has.",
            ),
            click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True),
            *((_existing_option,) if may_grow else ()),
        ):
            with_common = option(with_common)
        return with_common

    return decorate


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)

_existing_option = click.option(
    "--existing",
    type=click.IntRange(1, 10_000_000),
    help="Measure once with nearly empty tables and once more with this many finished payments in them.",
)
batch_option = click.option(
    "--batch",
    type=click.IntRange(1, MOST_AT_ONCE),
    help="Also through POST /v1/payments/batches with so many payments in each, beside single POSTs.",
)
gateway_ms_option = click.option(
    "--gateway-ms",
    type=click.IntRange(0, 30_000),
    default=0,
    show_default=True,
    help="How many milliseconds the gateway takes for each call.",
)


def run_mode(mode: Mode, common: Common) -> None:
    """Measure, print, keep; then end: with 0, with 1 when a round had errors, with 3 when it was stopped."""
    if common.against is not None and common.against["mode"] != mode.name:
        raise click.UsageError(f"--against: that file is of the mode {common.against['mode']}")
    try:
        with stop_on_signals() as stopping, running_rig(mode.setup, stopping) as rig:
            rounds = _measured(mode, common, rig)
    except Stopped:
        remark("aegis bench: stopped before the end")
        raise click.exceptions.Exit(3) from None
    result = _result(mode, common, rounds)
    print_result(result, common.against)
    if common.json_file is not None:
        common.json_file.write_text(json.dumps(result, indent=2) + "\n")
    for error in result["errors"]:
        remark(f"wrong: {error}")
    raise click.exceptions.Exit(1 if result["errors"] else 0)


def _measured(mode: Mode, common: Common, rig: Rig) -> list[dict[str, Any]]:
    remark("aegis bench: warming up")
    one_round = mode.prepare(rig)
    rounds = _rounds(mode, common, one_round)
    if common.existing is None:
        return rounds
    fill(rig, common.existing)
    grown = _rounds(mode, common, one_round)
    return [beside(*pair, common.existing, mode.unit) for pair in zip(rounds, grown, strict=True)]


def _rounds(mode: Mode, common: Common, one_round: Callable[[Round], None]) -> list[dict[str, Any]]:
    rounds = []
    with progress(mode.name, common.rounds * mode.cases) as step:
        for number in range(common.rounds):
            speed_ms = loop_ms()
            round_ = Round(number, step)
            one_round(round_)
            rounds.append({"loop_ms": speed_ms, "cases": round_.cases, "errors": round_.errors})
    return rounds


def _result(mode: Mode, common: Common, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    cases = summarized([round_["cases"] for round_ in rounds])
    best = max(cases.values(), key=lambda figures: figures.get("throughput_per_s", {}).get("median", 0.0))
    headline = {name: best[name] for name in (*_HEADLINE, f"cpu_ms_per_{mode.unit}") if name in best}
    return {
        "mode": mode.name,
        "unit": mode.unit,
        "about": mode.about,
        "at": rfc3339(datetime.now(UTC)),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            **summarized([{"loop_ms": round_["loop_ms"]} for round_ in rounds]),
        },
        "options": {
            "rounds": common.rounds,
            **({"workers": mode.setup.workers} if mode.setup.workers else {}),
            **mode.options,
            **({"existing": common.existing} if common.existing else {}),
        },
        **headline,
        "cases": cases,
        "errors": [
            f"round {number}: {error}"
            for number, round_ in enumerate(rounds, 1)
            for error in round_["errors"]
        ],
        "rounds": rounds,
    }


def latencies(sent: Sent) -> dict[str, float | None]:
    """Of the answers that were good, in ms."""
    return percentiles([took_ms for _, _, took_ms in sent.answers], digits=2)


def answers_per_s(sent: Sent) -> float:
    """Good answers over the time from the first request to the last answer."""
    return len(sent.answers) / (sent.ended_at - sent.started_at)


def _earlier(path: Path | None) -> Mapping[str, Any] | None:
    if path is None:
        return None
    try:
        found: Mapping[str, Any] = json.loads(path.read_text())
        if not {"mode", "cases", "machine"} <= found.keys():
            raise ValueError("not a result of `aegis bench`")
    except (ValueError, AttributeError) as error:
        raise OperatorError(f"{path}: {error}") from error
    return found
