"""What came out of a run, as text on a terminal and as JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct

from aegis_worker.lab.crash.report import print_violations, violation_as_json
from aegis_worker.terminal.output import print_facts, print_table

from .experiment import Experiment
from .facts import Facts, by_second, p95_ms, success_rate
from .judging import Finding, Verdict


class Result(Struct, frozen=True):
    """A run that is over."""

    experiment: Experiment
    seed: int
    facts: Facts
    verdict: Verdict


def print_result(result: Result) -> None:
    """Print the verdict and its findings, then what was done and what is wrong."""
    facts, verdict = result.facts, result.verdict
    print_facts(
        verdict.in_words,
        {
            "experiment": f"{result.experiment.name}, seed {result.seed}",
            "hypothesis": result.experiment.hypothesis,
            "payments": ", ".join(f"{state} {count}" for state, count in facts.by_state.items()) or "none",
            "attempts marked": str(facts.marked_attempts),
            "came to rest": f"{facts.rested_after_s:g} s after the load" if facts.came_to_rest else "no",
        },
    )
    findings = [
        *(("steady state", one) for one in verdict.steady),
        *(("criterion", one) for one in verdict.criteria),
        *(("invariant", one) for one in verdict.invariants),
    ]
    rows = [("ok" if one.holds else "fail", kind, one.what, one.wanted, one.found) for kind, one in findings]
    print_table("Findings", ("", "kind", "what", "wanted", "found"), rows)
    injected = Counter((one.injection, one.kind) for one in facts.injected)
    print_table(
        "Injections",
        ("injection", "kind", "struck"),
        [(name, kind, count) for (name, kind), count in sorted(injected.items())],
    )
    if facts.struck:
        rows_of_strikes = [
            (f"{one.at_s:.1f}", one.kind, f"{one.until_s - one.at_s:.1f}") for one in facts.struck
        ]
        print_table("Strikes", ("at s", "what", "for s"), rows_of_strikes)
    print_violations([(result.experiment.name, one) for one in facts.violations])


def result_as_json(result: Result) -> dict[str, Any]:
    """All figures of a run."""
    facts, verdict, phases = result.facts, result.verdict, result.experiment.phases
    seconds = int(phases.whole_s) + 1
    during = facts.posted_in(phases.steady_s, phases.faults_end_s)
    took = p95_ms(during)
    injected = Counter((one.injection, one.kind) for one in facts.injected)
    return {
        "experiment": result.experiment.name,
        "hypothesis": result.experiment.hypothesis,
        "seed": result.seed,
        "held": verdict.holds,
        "verdict": verdict.in_words,
        "phases": {name: getattr(phases, name) for name in phases.__struct_fields__},
        "findings": {
            "steady_state": [_finding(one) for one in verdict.steady],
            "criteria": [_finding(one) for one in verdict.criteria],
            "invariants": [_finding(one) for one in verdict.invariants],
        },
        "payments": len(facts.paid),
        "by_state": dict(facts.by_state),
        "success_rate_while_broken": success_rate(during),
        "p95_ms_while_broken": None if took in (None, float("inf")) else took,
        "breaker_openings": facts.openings,
        "reviews": facts.reviews,
        "marked_attempts": facts.marked_attempts,
        "came_to_rest": facts.came_to_rest,
        "rested_after_s": facts.rested_after_s,
        "injections": [
            {"injection": name, "kind": kind, "struck": count}
            for (name, kind), count in sorted(injected.items())
        ],
        "strikes": [{"at_s": round(one.at_s, 1), "kind": one.kind} for one in facts.struck],
        "by_second": {
            "accepted": by_second((one.began_s for one in facts.paid), seconds),
            "ended": by_second((one.ended_s for one in facts.paid if one.ended_s is not None), seconds),
            "injected": by_second((one.at_s for one in facts.injected), seconds),
        },
        "violations": [violation_as_json(one) for one in facts.violations],
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {"what": one.what, "wanted": one.wanted, "found": one.found, "holds": one.holds}
