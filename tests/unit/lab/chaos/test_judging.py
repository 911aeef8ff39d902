"""A hypothesis holds where its criteria and all invariants do, and says nothing without a steady state before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.chaos_runs import PHASES, an_experiment, facts_of_a_run, payments

from aegis_worker.audit.violations import Violation
from aegis_worker.domain.breakers import BreakerState
from aegis_worker.lab.chaos.facts import Paid, Sample, opened, p95_ms, success_rate
from aegis_worker.lab.chaos.judging import judged
from aegis_worker.lab.chaos.watching import injections_in, sample_of

TWICE = Violation("I1", "pay_1", "charged more than once", {})


def test_what_meets_every_demand_holds() -> None:
    verdict = judged(an_experiment(), facts_of_a_run())
    assert [one for one in (*verdict.steady, *verdict.criteria, *verdict.invariants) if not one.holds] == []
    assert (verdict.holds, verdict.in_words) == (True, "The hypothesis held.")
    assert len(verdict.invariants) == 7


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"violations": [TWICE]}, "An invariant is broken: I1."),
        ({"came_to_rest": False}, "An invariant is broken: I2."),
        ({"openings": 0}, "The hypothesis did not hold."),
        ({"injected": []}, "The hypothesis did not hold."),
        ({"reviews": 1}, "The hypothesis did not hold."),
        ({"paid": payments(0, 10)}, "The hypothesis did not hold."),
        ({"paid": [*payments(0, 10), *payments(10, 40, took_s=5.1)]}, "The hypothesis did not hold."),
        (
            {"paid": [*payments(0, 10), *payments(10, 40, state="FAILURE")]},
            "The hypothesis did not hold.",
        ),
        (
            {"paid": [*payments(0, 10, took_s=2), *payments(10, 40)]},
            "There was no steady state, so nothing was shown.",
        ),
        ({"paid": payments(10, 40)}, "There was no steady state, so nothing was shown."),
    ],
)
def test_each_demand_by_itself_ends_it(facts: dict[str, Any], words: str) -> None:
    verdict = judged(an_experiment(), facts_of_a_run(**facts))
    assert (verdict.holds, verdict.in_words) == (False, words)


def test_what_goes_differently_by_itself_is_no_failure() -> None:
    other = [Paid("FAILURE", False, at / 4, at / 4 + 60) for at in range(40, 160)]
    assert judged(an_experiment(), facts_of_a_run(paid=[*payments(0, 60), *other])).holds


def test_a_payment_without_an_end_took_longer_than_any() -> None:
    paid = [*payments(0, 5), *(Paid("PROCESSING", True, 5.0, None) for _ in range(2))]
    assert p95_ms(paid) == float("inf")
    assert p95_ms(paid[:-1]) == pytest.approx(300)
    assert success_rate(paid) == pytest.approx(20 / 22)
    assert (p95_ms([]), success_rate([])) == (None, None)


def test_a_redis_that_begins_anew_hides_no_opening_of_a_breaker() -> None:
    seen = [3, 4, None, 0, 2, 2]
    assert opened([Sample(float(at), openings=count) for at, count in enumerate(seen)]) == 3


def test_metrics_are_read_and_what_is_unknown_stays_unknown() -> None:
    known = sample_of(
        1.0,
        'aegis_gateway_breaker_state{gateway="a",operation="process",state="OPEN"} 1.0\n'
        'aegis_gateway_breaker_state{gateway="a",operation="process",state="CLOSED"} 0.0\n'
        "# TYPE aegis_gateway_breaker_openings counter\n"
        'aegis_gateway_breaker_openings_total{gateway="a",operation="process"} 2.0\n'
        "# TYPE aegis_chaos_injections counter\n"
        'aegis_chaos_injections_total{injection="x",kind="timeout"} 5.0\n',
    )
    assert (known.breakers, known.openings, known.injected) == ({("a", "process"): BreakerState.OPEN}, 2, 5)
    unknown = sample_of(1.0, "aegis_database_up 1.0\n")
    assert (unknown.breakers, unknown.openings) == (None, None)


def test_a_run_of_another_length_is_the_same_experiment_stretched() -> None:
    longer = an_experiment().lasting(3)
    assert longer.phases == type(PHASES)(30, 90, 60)
    assert longer.injections == an_experiment().lasting(None).lasting(3).injections
    assert longer.injections[0].until_s == 90, "no injection outlasts the faults"
    assert replace(longer, phases=PHASES, injections=()) == replace(an_experiment(), injections=())


def test_injections_are_read_from_the_logs_of_a_worker_and_of_the_one_before_it(tmp_path: Path) -> None:
    told = (
        '{"injection": "slow", "kind": "timeout", "gateway": "a", "event": "injected", "timestamp": "%s"}\n'
    )
    (tmp_path / "worker.log").write_text(
        told % "2026-01-31T12:00:05.500000Z"
        + told % "2026-01-31T11:59:59Z"
        + '{"event": "was \\"injected\\" here"}\n"injected", not JSON\n'
    )
    (tmp_path / "worker.log.1").write_text("Traceback\n" + told % "2026-01-31T12:00:02Z")
    (tmp_path / "web.log").write_text(told % "2026-01-31T12:00:03Z")
    found = injections_in(tmp_path / "worker.log", 1769860800.0)
    assert [(one.at_s, one.injection, one.gateway) for one in found] == [
        (2.0, "slow", "a"),
        (5.5, "slow", "a"),
    ]
