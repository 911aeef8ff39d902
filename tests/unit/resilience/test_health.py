"""A gateway's figures and its score: the formula as documented, by cases and by its properties."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.resilience.health import Latency, gateway_health, of_hour, of_recent, run_of, score
from aegis_worker.resilience.health_window import HourCounts, RecentCall, RecentCalls, bucket_of
from aegis_worker.resilience.permits import Counted, GatewayHealth

NOW_MS = 1_763_750_000_000
LIMITS: dict[str, Any] = {"latency_target_ms": 1000, "timeout_ms": 9000}
CLOSED, HALF_OPEN, OPEN = BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN
WORDS = {
    "a": Counted.APPROVED,
    "d": Counted.DECLINED,
    "p": Counted.PAYER,
    "w": Counted.PENDING,
    "r": Counted.RATE_LIMITED,
    "e": Counted.ERROR,
}


def calls(letters: str, latency_ms: float = 200.0) -> RecentCalls:
    """One hop a letter, the newest first, a second apart."""
    errors = {"e": "no_answer", "r": "rate_limit"}
    return RecentCalls(
        NOW_MS,
        tuple(
            RecentCall(NOW_MS - 1000 * place, WORDS[letter], latency_ms, errors.get(letter, ""))
            for place, letter in enumerate(letters)
        ),
    )


@pytest.mark.parametrize(
    ("letters", "success", "declines", "errors"),
    [
        ("", None, None, {}),
        ("aaaa", 1.0, 0.0, {}),
        ("aaad", 0.75, 0.25, {}),
        ("aaae", 0.75, 0.0, {"no_answer": 0.25}),
        ("appp", 1.0, 0.75, {}),  # declined as anywhere: nothing about the gateway
        ("aw", 1.0, 0.0, {}),
        ("ar", 1.0, 0.0, {"rate_limit": 0.5}),
        ("ppw", None, 2 / 3, {}),
        ("eee", 0.0, None, {"no_answer": 1.0}),
    ],
)
def test_rates(letters: str, success: float | None, declines: float | None, errors: dict[str, float]) -> None:
    figures = of_recent(calls(letters))
    assert (figures.success_rate, figures.decline_rate, figures.error_rates) == (success, declines, errors)
    assert figures.volume == len(letters)


def test_percentiles_are_latencies_that_occurred_and_of_answers_only() -> None:
    answered = tuple(RecentCall(NOW_MS, Counted.APPROVED, float(ms), "") for ms in range(1, 101))
    refused = RecentCall(NOW_MS, Counted.ERROR, 0.2, "network_error")
    assert of_recent(RecentCalls(NOW_MS, (refused, *answered))).latency == Latency(50.5, 50.0, 95.0, 99.0)
    assert of_recent(calls("eee")).latency == Latency()


def test_the_hour_gives_the_same_figures_with_percentiles_within_a_twentieth() -> None:
    buckets: dict[int, int] = {}
    for latency_ms in range(1, 1001):
        buckets[bucket_of(latency_ms)] = buckets.get(bucket_of(latency_ms), 0) + 1
    counts = {Counted.APPROVED: 900, Counted.PAYER: 100, Counted.ERROR: 100}
    figures = of_hour(HourCounts(550.0, 3.0, counts, {"timeout": 100}, 500_500, buckets))
    assert (figures.success_rate, figures.decline_rate, figures.calls_per_s) == (0.9, 0.1, 2.0)
    assert figures.error_rates == {"timeout": pytest.approx(1 / 11)}
    latency = figures.latency
    assert latency.mean_ms == 500.5
    assert (latency.p50_ms, latency.p95_ms, latency.p99_ms) == pytest.approx((500, 950, 990), rel=0.05)
    assert of_hour(HourCounts()).latency == Latency()


def test_throughput_is_from_the_first_hop_until_now() -> None:
    assert of_recent(calls("aaaaa")).calls_per_s == 5 / 4
    assert of_recent(calls("a")).calls_per_s == 1.0
    at_once = RecentCalls(NOW_MS + 20, (RecentCall(NOW_MS, Counted.APPROVED, 200.0, ""),) * 100)
    assert of_recent(at_once).calls_per_s == 5000
    idle = RecentCalls(NOW_MS + 600_000, calls("a" * 60).calls)
    assert of_recent(idle).calls_per_s == pytest.approx(60 / 659)


@pytest.mark.parametrize(
    ("letters", "run"),
    [
        ("", None),
        ("r", None),
        ("adpw", 1.0),
        ("ea", 0.5),
        ("rrea", 0.5),
        ("aaaaaaaaaaeeee", 1.0),
        ("e" * 10 + "a", 0.0),
    ],
)
def test_the_recent_run_is_the_share_of_the_last_ten_that_did_not_fail(
    letters: str, run: float | None
) -> None:
    assert run_of(calls(letters)) == run


@pytest.mark.parametrize(
    ("state", "success", "p95_ms", "run", "expected"),
    [
        (CLOSED, None, None, None, 1.0),
        (CLOSED, 1.0, 1000, 1.0, 1.0),
        (HALF_OPEN, 1.0, 200, 1.0, 0.75),
        (OPEN, 1.0, 200, 1.0, 0.5),
        (CLOSED, 0.5, 200, 1.0, 0.85),
        (CLOSED, 1.0, 5000, 1.0, 0.95),
        (CLOSED, 1.0, 9000, 1.0, 0.9),
        (CLOSED, 1.0, 60_000, 1.0, 0.9),
        (CLOSED, 1.0, 200, 0.4, 0.94),
        (OPEN, 0.0, 9000, 0.0, 0.0),
        (OPEN, None, None, None, 0.5),
    ],
)
def test_the_score(
    state: BreakerState, success: float | None, p95_ms: float | None, run: float | None, expected: float
) -> None:
    assert score(state, success_rate=success, p95_ms=p95_ms, run=run, **LIMITS) == expected


def test_a_target_at_the_timeout_is_met_or_not() -> None:
    at = {"latency_target_ms": 1000, "timeout_ms": 1000}
    assert score(CLOSED, success_rate=1.0, p95_ms=1000, run=1.0, **at) == 1.0
    assert score(CLOSED, success_rate=1.0, p95_ms=1001, run=1.0, **at) == 0.9


def test_what_routing_gets() -> None:
    assert gateway_health(RecentCalls(), **LIMITS) == GatewayHealth()
    health = gateway_health(calls("eaadpwr"), **LIMITS, state=OPEN, retry_in_s=12.5)
    assert health.run == pytest.approx(5 / 6)
    assert health.score == pytest.approx(0.3 * 0.5 + 0.1 + 0.1 * 5 / 6, abs=1e-4)
    assert health == GatewayHealth(
        state=OPEN,
        retry_in_s=12.5,
        judged=4,
        approved=2,
        latency_mean_ms=200.0,
        latency_p95_ms=200.0,
        run=health.run,
        score=health.score,
    )


_states, _rates = st.sampled_from(list(BreakerState)), st.floats(0, 1)
_latencies, _known = st.floats(0, 1e6), st.lists(st.sampled_from(list(WORDS)), max_size=100)


@given(_known, _states, st.floats(0, 20_000), st.integers(1, 10_000), st.floats(1, 60_000))
def test_the_score_is_within_its_bounds(
    letters: list[str], state: BreakerState, latency_ms: float, target_ms: int, timeout_ms: float
) -> None:
    recent = calls("".join(letters), latency_ms)
    health = gateway_health(recent, latency_target_ms=target_ms, timeout_ms=timeout_ms, state=state)
    assert 0.0 <= health.score <= 1.0
    assert 0 <= health.approved <= health.judged <= len(letters)


@given(_states, _rates, _rates, _latencies, _rates)
def test_more_success_is_never_worse(
    state: BreakerState, low: float, high: float, p95_ms: float, run: float
) -> None:
    low, high = sorted((low, high))
    rest = {"p95_ms": p95_ms, "run": run, **LIMITS}
    assert score(state, success_rate=low, **rest) <= score(state, success_rate=high, **rest)


@given(_states, _latencies, _latencies, _rates, _rates)
def test_a_faster_gateway_is_never_worse(
    state: BreakerState, fast: float, slow: float, success: float, run: float
) -> None:
    fast, slow = sorted((fast, slow))
    rest = {"success_rate": success, "run": run, **LIMITS}
    assert score(state, p95_ms=slow, **rest) <= score(state, p95_ms=fast, **rest)


@given(_states, _rates, _rates, _latencies, _rates)
def test_a_better_run_is_never_worse(
    state: BreakerState, low: float, high: float, p95_ms: float, success: float
) -> None:
    low, high = sorted((low, high))
    rest = {"success_rate": success, "p95_ms": p95_ms, **LIMITS}
    assert score(state, run=low, **rest) <= score(state, run=high, **rest)


@given(_rates, _latencies, _rates)
def test_closed_is_better_than_half_open_and_that_than_open(
    success: float, p95_ms: float, run: float
) -> None:
    rest = {"success_rate": success, "p95_ms": p95_ms, "run": run, **LIMITS}
    assert score(OPEN, **rest) < score(HALF_OPEN, **rest) < score(CLOSED, **rest)


@given(st.lists(st.sampled_from("apw"), max_size=100), st.floats(0, 1000))
def test_a_gateway_that_does_all_it_can_reaches_one(letters: list[str], latency_ms: float) -> None:
    assert gateway_health(calls("".join(letters), latency_ms), **LIMITS).score == 1.0
