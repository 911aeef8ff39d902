"""Whether the hypothesis held. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from aegis_worker.audit.violations import INVARIANTS

from .experiment import Experiment
from .facts import Facts, Paid, p95_ms, success_rate


class Finding(Struct, frozen=True):
    """One thing that was demanded, and what was found."""

    what: str
    wanted: str
    found: str
    holds: bool


class Verdict(Struct, frozen=True):
    """`steady`: what had to hold before. Only where it did, the rest says something."""

    steady: tuple[Finding, ...]
    invariants: tuple[Finding, ...]
    criteria: tuple[Finding, ...]

    @property
    def was_steady(self) -> bool:
        """Whether things were as normal before anything was broken."""
        return all(finding.holds for finding in self.steady)

    @property
    def holds(self) -> bool:
        """Whether the hypothesis held."""
        return self.was_steady and all(one.holds for one in (*self.invariants, *self.criteria))

    @property
    def in_words(self) -> str:
        """The verdict in a sentence."""
        if self.holds:
            return "The hypothesis held."
        if not self.was_steady:
            return "There was no steady state, so nothing was shown."
        broken = [one.what.split(":")[0] for one in self.invariants if not one.holds]
        if broken:
            return f"An invariant is broken: {', '.join(broken)}."
        return "The hypothesis did not hold."


def judged(experiment: Experiment, facts: Facts) -> Verdict:
    """The verdict on a run of the experiment."""
    return Verdict(
        tuple(_steady(experiment, facts)),
        tuple(_invariants(facts)),
        tuple(_criteria(experiment, facts)),
    )


def _steady(experiment: Experiment, facts: Facts) -> Iterator[Finding]:
    paid = facts.posted_in(0.0, experiment.phases.steady_s)
    yield _rate("charged, before", paid, experiment.steady.success_rate)
    yield _p95("95 % ended within, before", paid, experiment.steady.p95_ms)


def _invariants(facts: Facts) -> Iterator[Finding]:
    for name, demands in INVARIANTS.items():
        broken = [one for one in facts.violations if one.invariant == name]
        if name == "I2" and not facts.came_to_rest:
            yield Finding(f"{name}: {demands}", "always", "it did not come to rest", False)
            continue
        payments = len({one.payment_id for one in broken})
        found = (
            f"broken {len(broken)} times, for {payments} payments"
            if broken
            else f"{len(facts.paid)} payments"
        )
        yield Finding(f"{name}: {demands}", "always", found, not broken)


def _criteria(experiment: Experiment, facts: Facts) -> Iterator[Finding]:
    wanted, phases = experiment.criteria, experiment.phases
    during = facts.posted_in(phases.steady_s, phases.faults_end_s)
    after = facts.posted_in(phases.faults_end_s, phases.whole_s + 1)
    if wanted.success_rate is not None:
        yield _rate(
            "charged in the end, of those posted while things were broken", during, wanted.success_rate
        )
    if wanted.p95_ms is not None:
        yield _p95("95 % of these ended within", during, wanted.p95_ms)
    if wanted.recovered_success_rate is not None:
        yield _rate("charged, of those posted after", after, wanted.recovered_success_rate)
    if wanted.recovered_p95_ms is not None:
        yield _p95("95 % of these ended within, after", after, wanted.recovered_p95_ms)
    counts = (
        ("breakers opened", facts.openings, wanted.breaker_openings, wanted.breaker_openings_at_most),
        ("injections", len(facts.injected), wanted.injections, None),
        ("payments that wait for a person", facts.reviews, None, wanted.reviews_at_most),
    )
    for what, found, least, most in counts:
        if least is not None:
            yield Finding(what, f"at least {least}", str(found), found >= least)
        if most is not None:
            yield Finding(what, f"at most {most}", str(found), found <= most)


def _rate(what: str, paid: list[Paid], wanted: float) -> Finding:
    rate = success_rate(paid)
    plain = sum(one.plain for one in paid)
    if rate is None:
        return Finding(what, f"at least {wanted:.1%}", "no payments", False)
    return Finding(what, f"at least {wanted:.1%}", f"{rate:.1%} of {plain}", rate >= wanted)


def _p95(what: str, paid: list[Paid], wanted_ms: float) -> Finding:
    found_ms = p95_ms(paid)
    if found_ms is None:
        return Finding(what, f"at most {_ms(wanted_ms)}", "no payments", False)
    found = "not all ended" if found_ms == float("inf") else _ms(found_ms)
    return Finding(what, f"at most {_ms(wanted_ms)}", found, found_ms <= wanted_ms)


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"
