"""Every strategy against cases computed by hand from its formula."""

from __future__ import annotations

from typing import Any

import pytest
from support.plain_payment import a_payment
from support.routing_inputs import HALF_OPEN, NAMES, decided, gateways, routing, tried

from aegis_worker.domain.money import Money
from aegis_worker.routing.strategies import STRATEGIES
from aegis_worker.routing.strategies.ab_test import arm_of
from aegis_worker.routing.strategies.cost import fee_minor
from aegis_worker.routing.strategies.latency import expected_latencies_ms
from aegis_worker.routing.strategies.success import expected_success

FEES = {"fee_fixed_minor": 30, "fee_basis_points": 290}
OTHER_FEES = {"fee_fixed_minor": 10, "fee_basis_points": 340}
HUNDRED = Money(10_000, "USD")


def test_there_are_nine_strategies():
    assert set(STRATEGIES) == {
        *("METRICS_BASED", "HIGHEST_SUCCESS_RATE", "LEAST_LATENCY", "COST_OPTIMIZED", "ROUND_ROBIN"),
        *("WEIGHTED", "GEOGRAPHIC", "AB_TEST", "RULE_BASED"),
    }


@pytest.mark.parametrize(
    ("approved", "judged", "prior", "expected"),
    [
        (0, 0, {}, 0.9),
        (1, 1, {}, 10 / 11),
        (0, 1, {}, 9 / 11),
        (81, 90, {}, 0.9),
        (100, 100, {}, 109 / 110),
        (0, 100, {}, 9 / 110),
        (0, 10, {"success_rate": 0.5, "strength": 30}, 15 / 40),
        (3, 4, {"success_rate": 0.0, "strength": 1}, 3 / 5),
    ],
)
def test_success_is_drawn_towards_what_was_expected(approved, judged, prior, expected):
    assert expected_success(tried(approved, judged), routing(prior=prior).prior) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        # Nobody knows anything: the gateway's own target.
        ({}, {"a": 1000, "b": 500, "c": 1000}),
        # One is known: (90 × 400 + 10 × its target 1000) / 100; the others are expected to be like it.
        ({"a": tried(80, 90, 400)}, {"a": 460, "b": 400, "c": 400}),
        # (90 × 400 + 10 × 800) / 100, (30 × 800 + 10 × 400) / 40, and the median of 400 and 800.
        ({"a": tried(80, 90, 400), "b": tried(30, 30, 800)}, {"a": 440, "b": 700, "c": 600}),
    ],
)
def test_latency_is_drawn_towards_that_of_the_others(health, expected):
    three = gateways(a={}, b={"latency_target_ms": 500}, c={})
    assert expected_latencies_ms(three, health, routing().prior) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("fees", "amount_minor", "fee"),
    [
        ((30, 290), 1999, 88),  # 30 + 57.971
        ((10, 340), 1999, 78),  # 10 + 67.966
        ((0, 50), 100, 1),  # 0.5 is rounded up
        ((0, 49), 100, 0),  # 0.49
        ((None, 100), 50, 1),
        ((25, None), 99_999_999_999, 25),
        ((0, 0), 5000, 0),
        ((30, 10_000), 99_999_999_999, 100_000_000_029),
        ((None, None), 5000, None),
    ],
)
def test_a_fee_is_whole_minor_units_rounded_half_up(fees, amount_minor, fee):
    (gateway,) = gateways(a={"fee_fixed_minor": fees[0], "fee_basis_points": fees[1]})
    assert fee_minor(gateway, amount_minor) == fee


# a: success (81 + 9) / 100 = 0.9; latency (90 × 500 + 10 × 2000) / 100 = 650 ms, within its target; fee 30 + 290 = 320.
# b: success (40 + 9) / 50 = 0.98; latency (40 × 2000 + 10 × 500) / 50 = 1700 ms, 1000 / 1700; fee 10 + 340 = 350.
METRICS: dict[str, Any] = {
    "configs": {"a": FEES, "b": OTHER_FEES},
    "health": {"a": tried(81, 90, 500), "b": tried(40, 40, 2000)},
    "amount": HUNDRED,
}
PARTS = {
    "a": {"success": 0.9, "latency": 1.0, "cost": 1.0},
    "b": {"success": 0.98, "latency": 0.5882, "cost": 0.9143},
}


@pytest.mark.parametrize(
    ("weights", "scores", "order"),
    [
        ({}, {"a": 0.94, "b": 0.8559}, ("a", "b")),
        ({"success": 6, "latency": 3, "cost": 1}, {"a": 0.94, "b": 0.8559}, ("a", "b")),
        ({"success": 1, "latency": 0, "cost": 0}, {"a": 0.9, "b": 0.98}, ("b", "a")),
        ({"success": 0, "latency": 1, "cost": 1}, {"a": 1.0, "b": 0.7513}, ("a", "b")),
    ],
)
def test_metrics_based_goes_by_the_weighted_mean_of_success_latency_and_cost(weights, scores, order):
    decision = decided({"strategy": "METRICS_BASED", "weights": weights}, draws=[0.9], **METRICS)
    assert decision.candidates == order
    assert decision.scores == {name: {"score": scores[name]} | PARTS[name] for name in scores}


@pytest.mark.parametrize(
    ("configs", "parts"),
    [
        ({"a": FEES, "b": {}, "c": OTHER_FEES}, {"a": 1.0, "b": 0.9143, "c": 0.9143}),
        ({"a": {}, "b": {}}, {"a": 1.0, "b": 1.0}),
        ({"a": {"fee_fixed_minor": 0}, "b": {"fee_fixed_minor": 4}}, {"a": 1.0, "b": 0.25}),
    ],
)
def test_a_gateway_without_fees_counts_as_the_dearest(configs, parts):
    decision = decided({"strategy": "METRICS_BASED"}, configs, draws=[0.9], amount=HUNDRED)
    assert {name: score["cost"] for name, score in decision.scores.items()} == parts


@pytest.mark.parametrize(
    ("health", "order"),
    [
        ({}, ("a", "b", "c")),
        ({"a": tried(0, 1), "b": tried(1, 1)}, ("b", "c", "a")),
        ({"a": tried(90, 100), "b": tried(95, 100), "c": tried(85, 100)}, ("b", "a", "c")),
        # One lucky hop is not 100 %: (1 + 9) / 11 = 0.909 against (97 + 9) / 110 = 0.964.
        ({"a": tried(1, 1), "b": tried(97, 100), "c": tried(9, 10)}, ("b", "a", "c")),
    ],
)
def test_highest_success_rate(health, order):
    decision = decided({"strategy": "HIGHEST_SUCCESS_RATE"}, health=health, draws=[0.9])
    assert decision.candidates == order


def test_highest_success_rate_shows_what_it_went_by():
    health = {"a": tried(81, 90), "b": tried(40, 40)}
    decision = decided({"strategy": "HIGHEST_SUCCESS_RATE"}, {"a": {}, "b": {}}, health, [0.9])
    assert decision.scores == {"b": {"success": 0.98, "judged": 40}, "a": {"success": 0.9, "judged": 90}}
    assert decision.because == "highest expected success rate, 0.9800"


@pytest.mark.parametrize(
    ("health", "order"),
    [
        ({}, ("a", "b", "c")),
        ({"a": tried(9, 90, 400), "b": tried(90, 90, 300), "c": tried(90, 90, 500)}, ("b", "a", "c")),
        # c is expected to take the median of 400 and 300, before which it has shown nothing.
        ({"a": tried(90, 90, 400), "b": tried(90, 90, 300)}, ("b", "c", "a")),
    ],
)
def test_least_latency(health, order):
    assert decided({"strategy": "LEAST_LATENCY"}, health=health, draws=[0.9]).candidates == order


@pytest.mark.parametrize(
    ("amount", "order", "because"),
    [
        # 30 + 2.9 % against 10 + 3.4 %: the same at 40.00.
        (Money(3_800, "USD"), ("b", "a", "c"), "lowest fee, 1.39 USD"),
        (Money(4_000, "USD"), ("a", "b", "c"), "lowest fee, 1.46 USD"),
        (Money(10_000, "USD"), ("a", "b", "c"), "lowest fee, 3.20 USD"),
        (Money(500, "JPY"), ("b", "a", "c"), "lowest fee, 27 JPY"),
    ],
)
def test_cost_optimized(amount, order, because):
    configs = {"c": {}, "a": FEES, "b": OTHER_FEES}
    decision = decided({"strategy": "COST_OPTIMIZED"}, configs, amount=amount)
    assert (decision.candidates, decision.because) == (order, because)
    assert set(decision.scores) == {"a", "b"}


def test_without_any_fees_cost_decides_nothing():
    decision = decided({"strategy": "COST_OPTIMIZED", "fallback": ["b"]})
    assert (decision.candidates, decision.because) == (("b", "a", "c"), "first in the fallback list")


@pytest.mark.parametrize(
    ("turn", "order"),
    [(0, "abc"), (1, "bca"), (2, "cab"), (3, "abc"), (1_000_000_000_001, "cab")],
)
def test_round_robin(turn, order):
    decision = decided({"strategy": "ROUND_ROBIN", "turn": turn})
    assert "".join(decision.candidates) == order


def test_round_robin_takes_turns_among_those_that_may_take_the_payment():
    configs = {"a": {}, "b": {"enabled": False}, "c": {}}
    orders = [decided({"strategy": "ROUND_ROBIN", "turn": turn}, configs).candidates for turn in range(3)]
    assert orders == [("a", "c"), ("c", "a"), ("a", "c")]


@pytest.mark.parametrize(
    ("shares", "draws", "order"),
    [
        # The first number picks of 100 points, the second of what is then left, the third of the last one.
        ({"a": 50, "b": 30, "c": 20}, [0.499, 0.599, 0.0], "abc"),
        ({"a": 50, "b": 30, "c": 20}, [0.5, 0.0, 0.0], "bac"),
        ({"a": 50, "b": 30, "c": 20}, [0.8, 0.626, 0.0], "cba"),
        ({"a": 80, "b": 20, "c": 0}, [0.81, 0.0], "bac"),
        ({"c": 1}, [0.99], "cab"),
    ],
)
def test_weighted_draws_by_shares(shares, draws, order):
    decision = decided({"strategy": "WEIGHTED", "shares": shares}, draws=draws)
    assert "".join(decision.candidates) == order


def test_weighted_draws_only_those_that_may_take_the_payment():
    configs = {"a": {"enabled": False}, "b": {}, "c": {}}
    decision = decided({"strategy": "WEIGHTED", "shares": {"a": 90, "b": 10}}, configs, draws=[0.999])
    assert (decision.candidates, decision.scores) == (("b", "c"), {"b": {"share": 1.0}})


COUNTRIES = {"DE": ["c", "b"], "IN": ["b"], "*": ["b", "a"]}


@pytest.mark.parametrize(
    ("country", "order", "because"),
    [
        ("DE", "cba", "first for customers of DE"),
        ("IN", "bac", "first for customers of IN"),
        ("US", "bac", "first for customers of any other country"),
        (None, "bac", "first for customers of any other country"),
    ],
)
def test_geographic(country, order, because):
    decision = decided({"strategy": "GEOGRAPHIC", "countries": COUNTRIES}, customer={"country": country})
    assert ("".join(decision.candidates), decision.because) == (order, because)


def test_geographic_goes_elsewhere_where_no_gateway_of_the_country_may_take_the_payment():
    configs = {"a": {}, "b": {"enabled": False}, "c": {"enabled": False}}
    decision = decided(
        {"strategy": "GEOGRAPHIC", "countries": COUNTRIES}, configs, customer={"country": "DE"}
    )
    assert (decision.candidates, decision.because) == (("a",), "first for customers of any other country")


def an_experiment(experiment="cheaper-b", **shares):
    arms = [{"gateway": gateway, "share": share} for gateway, share in shares.items()]
    return {"strategy": "AB_TEST", "ab_test": {"experiment": experiment, "arms": arms}}


@pytest.mark.parametrize(
    ("experiment", "customer", "arm"),
    [
        # printf 'cheaper-b\ncust_1' | sha256sum begins 0058e4ed…, which is 0.0014 of 2 ** 64, and so on; a has up to 0.5.
        ("cheaper-b", "cust_1", "a"),  # 0.0014
        ("cheaper-b", "cust_2", "a"),  # 0.3126
        ("cheaper-b", "cust_3", "b"),  # 0.5530
        ("cheaper-b", "cust_4", "b"),  # 0.8076
        ("cheaper-b", "cust_5", "b"),  # 0.6109
        ("cheaper-b-2", "cust_4", "a"),  # 0.2984
        ("cheaper-b-2", "cust_5", "a"),  # 0.4760
    ],
)
def test_an_experiment_splits_customers_by_hash(experiment, customer, arm):
    decision = decided(an_experiment(experiment, a=50, b=50), customer={"id": customer})
    assert (decision.candidates[0], decision.experiment, decision.arm) == (arm, experiment, arm)


@pytest.mark.parametrize(
    ("shares", "arm"),
    [({"a": 55, "b": 45}, "b"), ({"a": 56, "b": 44}, "a"), ({"b": 1, "a": 1}, "a"), ({"c": 3}, "c")],
)
def test_arms_have_as_many_customers_as_their_shares_say(shares, arm):
    test = routing(**an_experiment(**shares)).ab_test
    assert test is not None
    assert arm_of(a_payment(customer={"id": "cust_3"}), test).gateway == arm  # at 0.5530


def test_a_payment_without_a_customer_is_split_by_its_own_id():
    # printf 'cheaper-b\npay_00000000000000000000000000000000' | sha256sum begins 57c99bfb…, which is 0.3429.
    decision = decided(an_experiment(a=34, b=66))
    assert decision.arm == "b"
    assert decided(an_experiment(a=35, b=65)).arm == "a"


def test_where_the_arm_may_not_take_the_payment_it_is_no_part_of_the_experiment():
    configs = {"a": {"enabled": False}, "b": {}, "c": {}}
    decision = decided(an_experiment(a=50, b=50), configs, customer={"id": "cust_1"})
    assert (decision.candidates, decision.experiment, decision.arm) == (("b", "c"), None, None)


def test_rule_based_leaves_everything_to_the_fallback_list():
    decision = decided({"strategy": "RULE_BASED", "fallback": ["c"]}, health={"a": tried(1, 50)})
    assert (decision.candidates, decision.because) == (("c", "a", "b"), "first in the fallback list")


@pytest.mark.parametrize("strategy", ["METRICS_BASED", "HIGHEST_SUCCESS_RATE", "LEAST_LATENCY"])
@pytest.mark.parametrize(
    ("exploration", "draws", "first"),
    [
        # Promises: b (94 + 9) / 110 / 110 = 0.008512, c (8 + 9) / 19 / 19 = 0.047091, of which b has 15.3 % and c the rest.
        (0.05, [0.05], "a"),
        (0.05, [0.049, 0.153], "b"),
        (0.05, [0.049, 0.154], "c"),
        (0.5, [0.4, 0.999], "c"),
        (0, [0.0], "a"),
    ],
)
def test_a_share_of_payments_explores_mostly_what_was_tried_little(strategy, exploration, draws, first):
    health = {"a": tried(99, 100, 100), "b": tried(94, 100, 700), "c": tried(8, 9, 900)}
    decision = decided({"strategy": strategy, "exploration": exploration}, health=health, draws=draws)
    assert (decision.candidates[0], decision.explored) == (first, first != "a")
    assert decision.explored == ("explored: a would have been first" in decision.because)


@pytest.mark.parametrize(
    ("draws", "first"),
    [
        # b: 59 / 110 = 0.536 expected, a 0.982: 9 standard errors apart. A fifth of 0.05 is left of it; c is unknown.
        ([0.0099, 0.0], "b"),
        ([0.0101, 0.0], "a"),
        ([0.0499, 0.9], "c"),
    ],
)
def test_what_is_surely_worse_is_explored_five_times_less(draws, first):
    health = {"a": tried(99, 100), "b": tried(50, 100)}
    decision = decided({"strategy": "HIGHEST_SUCCESS_RATE"}, health=health, draws=draws)
    assert (decision.candidates[0], decision.explored) == (first, first != "a")


def test_among_equally_unknown_gateways_the_explored_one_is_drawn():
    health = {"a": tried(99, 100)}
    firsts = [
        decided({"strategy": "HIGHEST_SUCCESS_RATE"}, health=health, draws=[0.0, which]).candidates[0]
        for which in (0.0, 0.49, 0.5, 0.99)
    ]
    assert firsts == ["b", "b", "c", "c"]


@pytest.mark.parametrize("exploration", [0, 0.05])
@pytest.mark.parametrize(("draw", "first"), [(0.199, "b"), (0.2, "a")])
def test_one_payment_in_five_asks_a_half_open_gateway_for_a_probe(exploration, draw, first):
    document = {"strategy": "METRICS_BASED", "exploration": exploration}
    health = {"a": tried(99, 100, 100), "b": HALF_OPEN}
    decision = decided(document, health=health, draws=[draw, 0.0])
    assert decision.candidates[0] == first
    assert ("its breaker is half open" in decision.because) == decision.explored == (first == "b")


@pytest.mark.parametrize(
    "strategy", sorted(set(STRATEGIES) - {"METRICS_BASED", "HIGHEST_SUCCESS_RATE", "LEAST_LATENCY"})
)
def test_other_strategies_explore_nothing(strategy):
    tables = {"shares": {"a": 1, "b": 1, "c": 1}, "countries": {"*": list(NAMES)}} | {
        "ab_test": an_experiment(a=1)["ab_test"]
    }
    decision = decided({"strategy": strategy, "exploration": 1, **tables}, draws=[0.0] * 3)
    assert (decision.candidates, decision.explored) == (("a", "b", "c"), False)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_with_nothing_between_them_gateways_keep_the_configured_order(strategy):
    tables = {
        "shares": {"a": 1, "b": 1, "c": 1},
        "countries": {"*": ["c"]},
        "ab_test": an_experiment(c=1)["ab_test"],
    }
    decision = decided({"strategy": strategy, **tables}, draws=[0.999] * 3)
    expected = {"WEIGHTED": "cba", "GEOGRAPHIC": "cab", "AB_TEST": "cab"}.get(strategy, "abc")
    assert "".join(decision.candidates) == expected
