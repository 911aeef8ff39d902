"""A plan strikes the same calls for the same seed, whoever comes to them in whatever order, and no others."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from aegis_worker.chaos.plan import Injection, Kind, Occasion, Plan, call_delay_s, striking

ANY = Injection("half", Kind.TIMEOUT, probability=0.5)


def occasion(number: int = 1, **changes: Any) -> Occasion:
    of = Occasion(f"order-{number}", f"pay_{number}", "m_1", "sandbox_a", "process", 1, 1)
    return of._replace(**changes)


def struck(
    injection: Injection, occasions: Sequence[Occasion], *, seed: int = 7, at_s: float = 0.0
) -> set[str]:
    plan = Plan(seed, (injection,))
    return {one.key for one in occasions if list(striking(plan, one, 0, at_s))}


def test_the_same_seed_strikes_the_same_calls_in_any_order() -> None:
    calls = [occasion(number) for number in range(400)]
    shuffled = Random(1).sample(calls, len(calls))
    assert struck(ANY, calls) == struck(ANY, shuffled)
    assert 150 < len(struck(ANY, calls)) < 250


def test_another_seed_or_another_name_strikes_others() -> None:
    calls = [occasion(number) for number in range(400)]
    other_name = Injection("other", Kind.TIMEOUT, probability=0.5)
    assert struck(ANY, calls) != struck(ANY, calls, seed=8)
    assert struck(ANY, calls) != struck(other_name, calls)


def test_payments_ids_do_not_matter_because_they_differ_in_every_run() -> None:
    calls = [occasion(number) for number in range(100)]
    again = [one._replace(payment_id=f"pay_again_{one.key}") for one in calls]
    assert struck(ANY, calls) == struck(ANY, again)


def test_each_send_of_an_attempt_is_a_chance_of_its_own() -> None:
    plan = Plan(7, (ANY,))
    sends = [bool(list(striking(plan, occasion(nth=nth), 0, 0.0))) for nth in range(1, 65)]
    assert 10 < sum(sends) < 54


@pytest.mark.parametrize(
    ("scope", "hit", "spared"),
    [
        ({"gateways": ("sandbox_a",)}, {}, {"gateway": "sandbox_b"}),
        ({"operations": ("process",)}, {}, {"operation": "look_up"}),
        ({"merchants": ("m_1",)}, {}, {"merchant_id": "m_2"}),
        ({"sends": 2}, {"nth": 2}, {"nth": 3}),
    ],
)
def test_nothing_outside_its_scope_is_struck(
    scope: dict[str, Any], hit: dict[str, Any], spared: dict[str, Any]
) -> None:
    injection = Injection("scoped", Kind.HTTP_500, **scope)
    assert struck(injection, [occasion(**hit)]) == {"order-1"}
    assert struck(injection, [occasion(**spared)]) == set()


def test_a_share_is_of_payments_and_takes_all_of_their_calls() -> None:
    injection = Injection("share", Kind.HTTP_503, share=0.25)
    hit = struck(injection, [occasion(number) for number in range(400)])
    assert 60 < len(hit) < 140
    for operation in ("process", "look_up", "capture"):
        again = struck(injection, [occasion(number, operation=operation) for number in range(400)])
        assert again == hit


@pytest.mark.parametrize(("at_s", "is_struck"), [(9.9, False), (10.0, True), (19.9, True), (20.0, False)])
def test_a_window_begins_at_its_start_and_is_over_at_its_end(at_s: float, is_struck: bool) -> None:
    injection = Injection("window", Kind.TIMEOUT, from_s=10, until_s=20)
    assert bool(struck(injection, [occasion()], at_s=at_s)) is is_struck


@pytest.mark.parametrize(
    ("at_s", "is_struck"), [(0.0, True), (1.9, True), (2.0, False), (4.9, False), (5.0, True)]
)
def test_bursts_come_back_and_end(at_s: float, is_struck: bool) -> None:
    injection = Injection("bursts", Kind.TIMEOUT, every_s=5, lasts_s=2)
    assert bool(struck(injection, [occasion()], at_s=at_s)) is is_struck


def test_a_cascade_takes_one_gateway_after_the_other() -> None:
    injection = Injection("cascade", Kind.HTTP_503, until_s=4, gateways=("a", "b", "c"), step_s=3)
    down = {
        at_s: [name for name in "abc" if struck(injection, [occasion(gateway=name)], at_s=at_s)]
        for at_s in (0.0, 3.5, 5.0, 6.5, 9.5, 10.0)
    }
    assert down == {0.0: ["a"], 3.5: ["a", "b"], 5.0: ["b"], 6.5: ["b", "c"], 9.5: ["c"], 10.0: []}


def test_latencies_add_up_and_of_the_others_the_first_counts() -> None:
    slow = Injection("slow", Kind.LATENCY, delay_ms=100)
    slower = Injection("slower", Kind.LATENCY, delay_ms=300)
    first, second = Injection("first", Kind.HTTP_500), Injection("second", Kind.TIMEOUT)
    plan = Plan(1, (slow, first, second, slower))
    assert [one.id for one in striking(plan, occasion(), 0, 0.0)] == ["slow", "first", "slower"]


def test_a_jitter_is_the_same_for_the_same_call_and_stays_within_its_bound() -> None:
    slow = Injection("slow", Kind.LATENCY, delay_ms=100, jitter_ms=50)
    delays = [call_delay_s(3, slow, occasion(number), 0) for number in range(200)]
    assert delays == [call_delay_s(3, slow, occasion(number), 0) for number in range(200)]
    assert 0.1 <= min(delays) < 0.11
    assert 0.14 < max(delays) <= 0.15
