"""`aegis chaos show`."""

from __future__ import annotations

import math
from typing import Any

import click

from aegis_worker.chaos.plan import Injection
from aegis_worker.terminal.output import json_option, print_facts, print_json, print_table

from .choosing import named
from .experiment import Experiment


@click.command(name="show")
@click.argument("name")
@json_option
def command(name: str, as_json: bool) -> None:
    """Show one experiment: what it breaks, and what must hold."""
    experiment = named(name)
    if as_json:
        print_json(_as_json(experiment))
        return
    phases = experiment.phases
    print_facts(
        experiment.name,
        {
            "what": experiment.about,
            "hypothesis": experiment.hypothesis,
            "phases": f"{phases.steady_s:g} s steady, {phases.faults_s:g} s broken, {phases.recovery_s:g} s healed",
            "load": f"{experiment.traffic.payments_per_s:g} payments a second, {experiment.traffic.kind}",
            "steady state": f"{experiment.steady.success_rate:.1%} charged, 95 % within {experiment.steady.p95_ms:.0f} ms",
        },
    )
    rows = [
        (one.id, one.kind.value, _when(one), f"{one.probability:g}", _where(one))
        for one in experiment.injections
    ]
    print_table("Injections", ("name", "kind", "when", "probability", "where"), rows)
    if experiment.strikes:
        print_table(
            "Strikes",
            ("what", "at s", "for s"),
            [(one.kind, f"{one.at_s:g}", f"{one.lasts_s:g}") for one in experiment.strikes],
        )
    print_table("Criteria", ("what", "bound"), [*_criteria(experiment).items(), ("I1 to I7", "always")])


def _when(one: Injection) -> str:
    until = "the end" if one.until_s == math.inf else f"{one.until_s:g} s"
    bursts = "" if one.every_s is None else f", {one.lasts_s:g} s of every {one.every_s:g} s"
    steps = f", each gateway {one.step_s:g} s later" if one.step_s else ""
    return f"{one.from_s:g} s to {until}{bursts}{steps}"


def _where(one: Injection) -> str:
    parts = [*one.gateways, *one.operations, *one.merchants]
    return ", ".join(parts) or "anywhere"


def _criteria(experiment: Experiment) -> dict[str, Any]:
    wanted = experiment.criteria
    found = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    return {name: value for name, value in found.items() if value is not None}


def _as_json(experiment: Experiment) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "about": experiment.about,
        "hypothesis": experiment.hypothesis,
        "seed": experiment.seed,
        "phases": {name: getattr(experiment.phases, name) for name in experiment.phases.__struct_fields__},
        "payments_per_s": experiment.traffic.payments_per_s,
        "injections": [
            {
                "id": one.id,
                "kind": one.kind.value,
                "when": _when(one),
                "probability": one.probability,
                "where": _where(one),
            }
            for one in experiment.injections
        ],
        "strikes": [
            {"kind": one.kind, "at_s": one.at_s, "lasts_s": one.lasts_s} for one in experiment.strikes
        ],
        "criteria": _criteria(experiment),
    }
