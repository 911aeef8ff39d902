"""What an A/B test has come to: counts, rates and their intervals."""

from __future__ import annotations

import pytest

from aegis_worker.resilience.permits import Counted
from aegis_worker.routing.experiment import ArmOutcome, wilson
from aegis_worker.routing.past import PastHop


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
        # table I, method 3; the last one mirrors the third.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_intervals_are_those_of_the_literature(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=0.00006)


def test_hops_are_counted_by_what_they_came_to() -> None:
    outcome = ArmOutcome()
    outcome.add(PastHop("a", Counted.APPROVED, True, 100.0), 6)
    outcome.add(PastHop("a", Counted.DECLINED, False, 50.0), 2)
    outcome.add(PastHop("a", Counted.PAYER, False, 50.0))
    outcome.add(PastHop("a", Counted.ERROR, False, None))
    outcome.add(PastHop("a", Counted.RATE_LIMITED, False, None))
    outcome.add(PastHop("a", Counted.PENDING, None, 20.0))
    outcome.add(PastHop("a", Counted.ERROR, None, None), 3)
    assert (outcome.payments, outcome.approved, outcome.declined, outcome.failed) == (15, 6, 3, 2)
    assert (outcome.undecided, outcome.decided) == (4, 11)
    assert outcome.success_rate == pytest.approx(6 / 11)
    assert outcome.latency_mean_ms == pytest.approx((600 + 150 + 20) / 10)
    assert outcome.success_interval == wilson(6, 11)


def test_an_arm_without_payments_has_no_rate() -> None:
    empty = ArmOutcome()
    assert (empty.success_rate, empty.success_interval, empty.latency_mean_ms) == (None, None, None)
