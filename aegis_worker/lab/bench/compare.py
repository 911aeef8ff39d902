"""`aegis bench compare`: this checkout and another, or two environments, measured in turn on one machine.

A noisy machine changes from minute to minute, so figures of two sittings say little. Here A and B are measured one right
after the other, round by round, and what counts is the ratio within each round.
"""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from aegis_worker.lab.local.stopping import Stopped, stop_on_signals
from aegis_worker.terminal.output import examples, print_facts, print_table, progress, remark

from .figures import flat, shown, spread
from .report import label
from .sides import Side, sides

_MODES = ("e2e", "drain", "intake", "outbox", "calls", "reads", "slow-clients")
# The figures that are looked at first; the others follow in the order in which the modes print them.
_FIRST = ("cpu_ms_per_", "throughput_per_s")


@click.command(
    name="compare",
    epilog=examples(
        """
        aegis bench compare ../before
        aegis bench compare ../before --mode drain --payments 10000 --rounds 9
        aegis bench compare ../before --mode e2e --with "--gateway sandbox"
        aegis bench compare --env-a AEGIS_BATCH=64 --env-b AEGIS_BATCH=128 --mode drain
        """
    ),
)
@click.argument("checkout", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--mode", "modes", multiple=True, type=click.Choice(_MODES), default=("e2e", "drain", "intake"))
@click.option(
    "--rounds",
    type=click.IntRange(1, 100),
    default=7,
    show_default=True,
    help="How many rounds to measure on each side.",
)
@click.option(
    "--payments",
    type=click.IntRange(1, 1_000_000),
    help="How many payments each round has. The default is the mode's own.",
)
@click.option(
    "--with",
    "options",
    default="",
    metavar="OPTIONS",
    help="More options for `aegis bench MODE` on both sides, in quotes.",
)
@click.option(
    "--env-a",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set this variable for side A, the code of this checkout.",
)
@click.option(
    "--env-b",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set this variable for side B, which is CHECKOUT, or the same code without one.",
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
def command(
    checkout: Path | None,
    modes: Sequence[str],
    rounds: int,
    payments: int | None,
    options: str,
    env_a: Sequence[str],
    env_b: Sequence[str],
    json_file: Path | None,
) -> None:
    """Compare this checkout (A) with another one (B): the ratios A ÷ B of CPU time, rate and every figure that both have.

    The sides are measured in turn, each by its own `aegis bench` on an installation of its own. On a busy machine look
    at CPU time rather than at rates; a ratio below 1 means that A needs less.
    """
    both = sides(checkout, _environ(env_a, "--env-a"), _environ(env_b, "--env-b"))
    arguments = [*_options(options), *([] if payments is None else ["--payments", str(payments)])]
    measured = {mode: [] for mode in modes}  # type: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]]
    is_stopped = False
    with stop_on_signals() as stopping, progress("compare", rounds * len(modes) * 2) as step:
        try:
            for number in range(rounds):
                for mode in modes:
                    measured[mode].append(_one_round(both, mode, arguments, number, step, stopping))
        except Stopped:
            is_stopped = True
    result = {
        mode: {"rounds": pairs, "ratios": ratios(pairs), "errors": _errors(pairs)}
        for mode, pairs in measured.items()
        if pairs
    }
    for mode, compared in result.items():
        _print(mode, compared, checkout)
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=2) + "\n")
    if is_stopped:
        remark("stopped before the end: the figures are those of the rounds that both sides have")
        raise click.exceptions.Exit(3)
    raise click.exceptions.Exit(1 if any(compared["errors"] for compared in result.values()) else 0)


def _options(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise click.UsageError(f"--with {text!r}: {error}") from error


def _one_round(
    both: tuple[Side, Side],
    mode: str,
    arguments: Sequence[str],
    number: int,
    step: Any,
    stopping: threading.Event,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One round of each side; every second one begins with B, because the first may find a colder machine."""
    results = {}
    for side in both if number % 2 == 0 else reversed(both):
        results[side.name] = side.measure(mode, arguments, stopping)
        step()
    return results["A"], results["B"]


def ratios(
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> dict[str, dict[str, dict[str, float]]]:
    """By case and figure, the spread of A ÷ B over the rounds. A figure that a side lacks, or that is 0, is left out."""
    found: dict[str, dict[str, list[float]]] = {}
    for a, b in pairs:
        for case in a["cases"].keys() & b["cases"].keys():
            ours, theirs = dict(flat(a["cases"][case])), dict(flat(b["cases"][case]))
            for name in ours.keys() & theirs.keys():
                if theirs[name]["median"] and ours[name]["median"]:
                    values = found.setdefault(case, {}).setdefault(name, [])
                    values.append(ours[name]["median"] / theirs[name]["median"])
    return {
        case: {name: spread(figures[name]) for name in sorted(figures, key=_place)}
        for case, figures in sorted(found.items())
    }


def _place(name: str) -> tuple[int, str]:
    first = (place for place, prefix in enumerate(_FIRST) if name.startswith(prefix))
    return next(first, len(_FIRST)), name


def _errors(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[str]:
    return [
        f"round {number}, {side}: {error}"
        for number, pair in enumerate(pairs, 1)
        for side, result in zip("AB", pair, strict=True)
        for error in result["errors"]
    ]


def _print(mode: str, compared: Mapping[str, Any], checkout: Path | None) -> None:
    a, b = compared["rounds"][0]
    for case, figures in compared["ratios"].items():
        rows = [
            (label(name, a["unit"]), shown(value["median"]), shown(value["min"]), shown(value["max"]))
            for name, value in figures.items()
        ]
        print_table(f"aegis bench {mode}, {case}: A ÷ B", ["", "median", "least", "most"], rows)
    loops = [result["machine"]["loop_ms"]["median"] for pair in compared["rounds"] for result in pair]
    print_facts(
        "",
        {
            "A": f"this code, at {a['at']}",
            "B": f"{checkout or 'this code, under another environment'}, at {b['at']}",
            "rounds": f"{len(compared['rounds'])} of each, in turn",
            "machine": f"a fixed loop took {shown(min(loops))} – {shown(max(loops))} ms",
        },
    )
    for error in compared["errors"]:
        remark(f"wrong: {error}")


def _environ(given: Sequence[str], option: str) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    wrong = [text for text, (name, equals, _) in zip(given, pairs, strict=True) if not name or not equals]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint=option)
    return {name: value for name, _, value in pairs}
