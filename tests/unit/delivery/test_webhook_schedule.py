"""What an answer means for a delivery."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_worker.delivery.ladder import next_delay_s
from aegis_worker.delivery.webhooks.schedule import Answered, NoAnswer, decide

RNG = random.Random(1)


def verdict_on(answer, tries=1, max_tries=10, took_s=0.1):
    return decide(answer, tries=tries, max_tries=max_tries, took_s=took_s, rng=RNG)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_delivered(status):
    assert verdict_on(Answered(status)).status == "delivered"


@pytest.mark.parametrize("status", [199, 300, 301, 307, 308, 400, 401, 404, 409, 422, 429, 500, 503, 999])
def test_anything_else_is_tried_again_and_says_why(status):
    verdict = verdict_on(Answered(status, "no thanks"))
    assert verdict.status == "pending"
    assert str(status) in verdict.error
    assert verdict.delay_s > 0


def test_no_answer_is_tried_again_and_gives_the_endpoint_a_rest():
    verdict = verdict_on(NoAnswer("timed out"), took_s=5.0)
    assert (verdict.status, verdict.error, verdict.rest_s) == ("pending", "timed out", 15.0)


def test_an_answer_however_bad_gives_the_endpoint_no_rest():
    assert verdict_on(Answered(500), took_s=5.0).rest_s == 0


@pytest.mark.parametrize("answer", [Answered(500), Answered(302), NoAnswer("timed out")])
def test_the_last_try_is_the_end_of_it(answer):
    assert verdict_on(answer, tries=9, max_tries=10).status == "pending"
    assert verdict_on(answer, tries=10, max_tries=10).status == "dead"


def test_gone_is_dead_at_once_and_disables_the_endpoint():
    verdict = verdict_on(Answered(410))
    assert (verdict.status, verdict.gone) == ("dead", True)


@pytest.mark.parametrize(
    ("answer", "at_least_s", "at_most_s"),
    [
        (Answered(429, retry_after_s=1000.0), 1000, 1000),
        (Answered(503, retry_after_s=10**9), 21_600, 21_600),
        (Answered(429, retry_after_s=0.0), 4, 6),
        (Answered(500), 4, 6),
    ],
)
def test_retry_after_may_make_the_wait_longer_within_bounds_and_never_shorter(answer, at_least_s, at_most_s):
    assert at_least_s <= verdict_on(answer).delay_s <= at_most_s


@pytest.mark.parametrize(("retry_after_s", "rest_s"), [(20.0, 20.0), (10**9, 300.0)])
def test_too_many_requests_are_followed_by_a_pause(retry_after_s, rest_s):
    assert verdict_on(Answered(429, retry_after_s=retry_after_s)).rest_s == rest_s


@given(tries=st.integers(1, 1000), seed=st.integers())
def test_waits_grow_to_twelve_hours_and_are_spread(tries, seed):
    ladder_s = [5, 30, 120, 600, 3600, 10_800, 21_600, 43_200]
    step_s = ladder_s[min(tries, 8) - 1]
    assert 0.8 * step_s <= next_delay_s(tries, random.Random(seed)) <= 1.2 * step_s


@given(tries=st.integers(1, 100), took_s=st.floats(0, 10**6))
def test_a_rest_is_bounded(tries, took_s):
    verdict = decide(
        NoAnswer("timed out"), tries=tries, max_tries=10, took_s=took_s, rng=random.Random(tries)
    )
    assert 1 <= verdict.rest_s <= 300
