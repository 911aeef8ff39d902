"""How long between two hops of a payment, and whether there is another."""

from __future__ import annotations

import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.domain.declines import DECLINES, may_fail_over
from aegis_worker.domain.retries import NotSentKind, RetryLimits
from aegis_worker.resilience.backoff import may_try_after_decline, may_try_same_gateway, next_delay_s

any_limits = st.builds(
    RetryLimits,
    initial_s=st.floats(0.0, 3600.0),
    multiplier=st.floats(1.0, 1000.0),
    cap_s=st.floats(0.0, 86_400.0),
)


@pytest.mark.parametrize(
    ("limits", "ceilings_s"),
    [
        (RetryLimits(), [1, 2, 4, 8, 16, 30, 30]),
        (RetryLimits(initial_s=0.5, multiplier=3.0, cap_s=10.0), [0.5, 1.5, 4.5, 10, 10, 10, 10]),
        (RetryLimits(multiplier=1.0), [1, 1, 1, 1, 1, 1, 1]),
        (RetryLimits(initial_s=0.0), [0, 0, 0, 0, 0, 0, 0]),
        (RetryLimits(cap_s=0.0), [0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_the_longest_pause_grows_by_the_multiplier_up_to_the_cap(limits, ceilings_s):
    assert [next_delay_s(hop, limits, 1.0) for hop in range(1, 8)] == ceilings_s


def test_the_pauses_after_one_hop_are_spread_over_the_whole_range():
    rng = random.Random(5)
    pauses_s = [next_delay_s(3, RetryLimits(), rng.random()) for _ in range(2000)]
    quarters = [sum(low <= pause_s < low + 1 for pause_s in pauses_s) for low in range(4)]
    assert sum(quarters) == 2000
    assert min(quarters) > 400
    assert fmean(pauses_s) == pytest.approx(2.0, abs=0.1)


def test_the_cap_comes_after_the_draw():
    rng = random.Random(7)
    pauses_s = [
        next_delay_s(6, RetryLimits(), rng.random()) for _ in range(2000)
    ]  # 0 to 32 s, then at most 30
    assert sum(pause_s == 30.0 for pause_s in pauses_s) / 2000 == pytest.approx(2 / 32, abs=0.02)


@given(hop=st.integers(1, 10**12), limits=any_limits, draw=st.floats(0.0, 1.0))
def test_a_pause_is_never_negative_longer_than_the_cap_or_the_growth_allows(hop, limits, draw):
    delay_s = next_delay_s(hop, limits, draw)
    assert 0.0 <= delay_s <= limits.cap_s
    if hop <= 10:
        assert delay_s <= limits.initial_s * limits.multiplier ** (hop - 1)


@pytest.mark.parametrize(
    ("kind", "hops_there", "limits", "may"),
    [
        (NotSentKind.NETWORK_ERROR, 1, RetryLimits(), True),
        (NotSentKind.TIMEOUT, 2, RetryLimits(), True),
        (NotSentKind.RATE_LIMIT, 3, RetryLimits(), False),
        (NotSentKind.RATE_LIMIT, 1, RetryLimits(max_attempts=1), False),
        (NotSentKind.RATE_LIMIT, 1, RetryLimits(retry_on=frozenset({NotSentKind.TIMEOUT})), False),
        (NotSentKind.TIMEOUT, 1, RetryLimits(retry_on=frozenset({NotSentKind.TIMEOUT})), True),
        (NotSentKind.TIMEOUT, 1, RetryLimits(retry_on=frozenset()), False),
    ],
)
def test_a_gateway_that_was_not_reached_is_tried_again_as_its_limits_say(kind, hops_there, limits, may):
    assert may_try_same_gateway(kind, hops_there, limits) is may


@pytest.mark.parametrize(
    ("code", "times", "limits", "may"),
    [
        ("issuer_unavailable", 1, RetryLimits(), True),
        ("issuer_unavailable", 9, RetryLimits(), True),
        ("issuer_unavailable", 1, RetryLimits(decline_attempts={"issuer_unavailable": 1}), False),
        ("issuer_unavailable", 5, RetryLimits(decline_attempts={"processing_error": 1}), True),
        ("do_not_honor", 1, RetryLimits(), False),
        ("do_not_honor", 1, RetryLimits(decline_attempts={"do_not_honor": 2}), True),
        ("do_not_honor", 2, RetryLimits(decline_attempts={"do_not_honor": 2}), False),
        ("gateway_misconfigured", 1, RetryLimits(), True),
        ("stolen_card", 1, RetryLimits(), False),
        ("stolen_card", 1, RetryLimits(decline_attempts={"stolen_card": 5}), False),
    ],
)
def test_a_payment_goes_on_after_a_decline_as_its_code_allows(code, times, limits, may):
    assert may_try_after_decline(code, times, limits) is may


@pytest.mark.parametrize("code", sorted(code for code, one in DECLINES.items() if one.category == "soft"))
def test_what_the_issuer_decided_is_not_asked_of_it_again_through_another_gateway(code: str) -> None:
    on_the_way = {"issuer_unavailable", "processing_error", "try_again_later"}
    assert may_try_after_decline(code, 1, RetryLimits()) is (code in on_the_way)
    assert DECLINES[code].attempts_why


@given(
    code=st.sampled_from(sorted(DECLINES)),
    times=st.integers(1, 10),
    most=st.dictionaries(st.sampled_from(sorted(DECLINES)), st.integers(1, 10)),
)
def test_no_limits_let_a_payment_go_on_after_what_is_no_soft_decline(code, times, most):
    limits = RetryLimits(decline_attempts=most)
    assert may_fail_over(code) or not may_try_after_decline(code, times, limits)
