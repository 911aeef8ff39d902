"""A run of an experiment as if it had been carried out: what a test does not say of it went well."""

from __future__ import annotations

from typing import Any

from aegis_worker.chaos.plan import Injection, Kind
from aegis_worker.domain.breakers import BreakerState
from aegis_worker.lab.chaos.experiment import Criteria, Experiment, Phases, Steady, Traffic
from aegis_worker.lab.chaos.facts import Facts, Injected, Paid, Sample, Struck

PHASES = Phases(10, 30, 20)


def an_experiment(**changes: Any) -> Experiment:
    fields: dict[str, Any] = {
        "name": "a_bad_day",
        "about": "The first gateway has a bad day.",
        "hypothesis": "Nobody is charged twice.",
        "seed": 7,
        "phases": PHASES,
        "traffic": Traffic(4),
        "steady": Steady(0.99, 1000),
        "criteria": Criteria(
            success_rate=0.9, p95_ms=5000, breaker_openings=1, injections=1, reviews_at_most=0
        ),
        "injections": (Injection("slow-bank", Kind.TIMEOUT, probability=0.5, gateways=("first",)),),
    }
    return Experiment(**fields | changes)


def payments(from_s: int, until_s: int, *, took_s: float = 0.3, state: str = "SUCCESS") -> list[Paid]:
    """Four a second, all alike."""
    return [Paid(state, True, at / 4, at / 4 + took_s) for at in range(from_s * 4, until_s * 4)]


def facts_of_a_run(**changes: Any) -> Facts:
    fields: dict[str, Any] = {
        "phases": PHASES,
        "paid": [*payments(0, 10), *payments(10, 40, took_s=2.5), *payments(40, 60)],
        "injected": [Injected(at / 2, "slow-bank", "timeout", "sandbox_a") for at in range(24, 70)],
        "samples": [
            Sample(
                float(at),
                {("sandbox_a", "process"): BreakerState.OPEN if 15 <= at < 40 else BreakerState.CLOSED},
                1 if at >= 15 else 0,
                max(0, at - 12),
            )
            for at in range(60)
        ],
        "struck": [Struck(20.0, 22.0, "stop Redis")],
        "openings": 1,
        "by_state": {"SUCCESS": 240},
    }
    return Facts(**fields | changes)
