"""Who may take a payment, which stage has the first word, and that the decision follows from its inputs alone."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.plain_payment import a_payment
from support.routing_inputs import HALF_OPEN, NAMES, OPEN, candidates, decided, named_for, routing, tried

from aegis_worker.domain.breakers import BreakerState
from aegis_worker.domain.money import Money
from aegis_worker.domain.screening import Named, Screening
from aegis_worker.gateways.config import AmountLimits
from aegis_worker.resilience.permits import GatewayHealth
from aegis_worker.routing.eligibility import PAUSED_LOOK_S
from aegis_worker.routing.router import decide, needs_turn
from aegis_worker.routing.strategies import STRATEGIES

RULES = [
    {
        "id": "dollars",
        "gateway": "c",
        "conditions": [{"field": "currency", "operator": "eq", "value": "USD"}],
    }
]
TABLES = {
    "shares": {"a": 3, "b": 1},
    "countries": {"DE": ["c"], "*": ["b"]},
    "ab_test": {"experiment": "x", "arms": [{"gateway": "b", "share": 1}, {"gateway": "c", "share": 1}]},
}


@pytest.mark.parametrize(
    ("amount", "left_out"),
    [
        (Money(99, "USD"), {"a": "takes 1.00 USD or more"}),
        (Money(100, "USD"), {}),
        (Money(5000, "USD"), {}),
        (Money(5001, "USD"), {"a": "takes 50.00 USD or less"}),
        (Money(1, "EUR"), {}),
        (Money(99_999, "JPY"), {}),
        (Money(49, "JPY"), {"a": "takes 50 JPY or more"}),
    ],
)
def test_a_gateway_takes_only_the_amounts_that_are_set_for_the_currency(amount, left_out):
    limits = {"USD": AmountLimits(100, 5000), "JPY": AmountLimits(50)}
    assert decided(configs={"a": {"amounts": limits}, "b": {}}, amount=amount).left_out == left_out


@pytest.mark.parametrize(("mode", "candidates"), [("live", ("b",)), ("test", ("a",))])
def test_a_gateway_of_the_other_mode_is_no_candidate(mode, candidates):
    decision = decided(configs={"a": {"mode": "test"}, "b": {"mode": "live"}}, mode=mode)
    (other,) = {"a", "b"} - set(candidates)
    assert decision.candidates == candidates
    of_other = {"live": "test", "test": "live"}[mode]
    assert decision.left_out == {other: f"takes {of_other} payments, and this is a {mode} one"}
    assert decision.wait_s is None


def test_a_paused_gateway_takes_nothing():
    decision = decided({"paused": {"a", "b"}})
    assert decision.candidates == ("c",)
    assert decision.left_out == dict.fromkeys("ab", "is paused by an operator")
    assert decision.wait_s is None


def test_an_open_breaker_keeps_a_gateway_out_and_a_half_open_one_does_not():
    decision = decided(health={"a": OPEN, "b": HALF_OPEN})
    assert decision.candidates == ("b", "c")
    assert decision.left_out == {"a": "has an open breaker for another 42 s"}


def test_an_open_breaker_whose_time_is_over_lets_probes_through():
    assert decided(health={"a": GatewayHealth(BreakerState.OPEN, retry_in_s=0.0)}).candidates == NAMES


@pytest.mark.parametrize(
    ("document", "health", "wait_s"),
    [
        ({}, {"a": OPEN, "b": GatewayHealth(BreakerState.OPEN, retry_in_s=7.5)}, 7.5),
        ({"paused": {"a"}}, {"b": OPEN}, PAUSED_LOOK_S),
        ({"paused": {"a", "b"}}, {}, PAUSED_LOOK_S),
    ],
)
def test_where_nobody_may_take_it_now_the_decision_says_when_to_ask_again(document, health, wait_s):
    decision = decided(document, {"a": {}, "b": {}, "c": {"enabled": False}}, health)
    assert (decision.candidates, decision.wait_s) == ((), wait_s)
    assert set(decision.left_out) == set(NAMES)


def test_where_nobody_will_ever_take_it_there_is_nothing_to_wait_for():
    decision = decided(configs={name: {"enabled": False} for name in NAMES})
    assert (decision.candidates, decision.wait_s) == ((), None)


def test_a_refused_candidate_leaves_the_rest_of_the_decision_as_it_is():
    decision = decided({"rules": RULES, "fallback": ["b"]})
    after = decision.without("b", "has 8 calls in flight", 0.5)
    assert after.candidates == ("c", "a")
    assert after.left_out == {"b": "has 8 calls in flight"}
    assert (after.rule, after.because, after.wait_s) == (decision.rule, decision.because, None)
    assert decision.candidates == ("c", "b", "a")


def test_where_the_first_candidate_is_refused_the_next_is_not_there_for_its_reasons():
    document = {"strategy": "AB_TEST", **TABLES}
    decision = decided(document, customer={"id": "cust_1"})
    first, second, _ = decision.candidates
    after = decision.without(first, "gives no permit", 1.0)
    assert after.because == f"next after {first}, which gives no permit"
    assert (after.candidates[0], after.rule, after.experiment, after.arm) == (second, None, None, None)


def test_where_all_are_refused_the_soonest_says_when_to_ask_again():
    decision = decided(health={"c": OPEN})
    after = decision.without("a", "is busy", 3.0).without("b", "is busy", 60.0)
    assert (after.candidates, after.wait_s) == ((), 3.0)


def test_what_an_attempt_keeps_is_json_without_what_is_empty():
    assert decided().document() == {
        "candidates": ["a", "b", "c"],
        "because": "first in configured order",
        "strategy": "RULE_BASED",
    }
    decision = decided(
        {"strategy": "HIGHEST_SUCCESS_RATE", "exploration": 1},
        {"a": {}, "b": {}, "c": {"enabled": False}},
        {"a": tried(81, 90)},
        [0.0, 0.0],
    )
    assert json.loads(json.dumps(decision.document())) == {
        "candidates": ["b", "a"],
        "because": "explored: a would have been first",
        "strategy": "HIGHEST_SUCCESS_RATE",
        "left_out": {"c": "is switched off"},
        "scores": {"a": {"success": 0.9, "judged": 90}, "b": {"success": 0.9, "judged": 0}},
        "explored": True,
    }
    experiment = decided({"strategy": "AB_TEST", **TABLES}, customer={"id": "cust_1"}).document()
    assert experiment["experiment"] == "x"
    assert experiment["arm"] == experiment["candidates"][0]
    assert decided({"rules": RULES}).document()["rule"] == "dollars"


def test_only_the_round_robin_needs_a_turn():
    assert [name for name in STRATEGIES if needs_turn(routing(strategy=name, **TABLES))] == ["ROUND_ROBIN"]


def test_each_stage_orders_what_the_stages_before_it_did_not_name():
    four: dict[str, dict[str, Any]] = {name: {} for name in ("a", "b", "c")}
    document = {"rules": RULES, "strategy": "GEOGRAPHIC", "countries": {"*": ["a"]}}
    assert decided(document, four, named=[Named("hook our:b", ("b",))]).candidates == ("b", "c", "a")
    assert decided(document, four).candidates == ("c", "a", "b")
    assert decided(document | {"fallback": ["b"], "countries": {"*": ["c"]}}, four).candidates == (
        "c",
        "b",
        "a",
    )


C_AND_A = Named("hook our:first", ("nobody", "c", "a"))
NOBODY_ELIGIBLE = Named("hook our:second", ("nobody",))


@pytest.mark.parametrize(
    ("named", "order", "because"),
    [
        ([C_AND_A], "cab", "named by hook our:first"),
        ([], "bac", "first in the fallback list"),
        (
            [NOBODY_ELIGIBLE, C_AND_A],
            "cab",
            "named by hook our:first; hook our:second named no eligible gateway",
        ),
        ([NOBODY_ELIGIBLE], "bac", "first in the fallback list; hook our:second named no eligible gateway"),
        ([C_AND_A, Named("hook our:third", ("b",))], "cab", "named by hook our:first"),
    ],
)
def test_what_a_hook_has_named_has_the_first_word(named, order, because):
    decision = decided({"fallback": ["b"]}, named=named)
    assert ("".join(decision.candidates), decision.because) == (order, because)


@pytest.mark.parametrize(
    ("field", "value", "order"),
    [("facts.segment", "vip", "cab"), ("metadata.tier", "gold", "cab"), ("metadata.segment", "vip", "abc")],
)
def test_rules_see_what_enrichment_has_added(field, value, order):
    rule = {
        "id": "vip",
        "gateway": "c",
        "conditions": [{"field": field, "operator": "eq", "value": value}],
    }
    kept = Screening(metadata={"tier": "gold"}, facts={"segment": "vip"}).to_json()
    payment = replace(a_payment(), screening=kept)
    decision = decide(payment, candidates(a={}, b={}, c={}), {}, routing(rules=[rule]), random.Random(1))
    assert "".join(decision.candidates) == order


HEALTH = st.builds(
    lambda state, retry_in_s, judged, share, latency_ms: GatewayHealth(
        state, retry_in_s, judged, round(judged * share), latency_mean_ms=latency_ms
    ),
    st.sampled_from(BreakerState),
    st.sampled_from([0.0, 30.0]),
    st.integers(0, 100),
    st.floats(0, 1),
    st.none() | st.floats(0.1, 20_000),
)
CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "currencies": st.sampled_from([frozenset({"EUR"}), frozenset({"USD", "EUR"})]),
        "countries": st.just(frozenset({"DE"})),
        "amounts": st.just({"USD": AmountLimits(100, 100_000)}),
        "fee_fixed_minor": st.integers(0, 100),
        "fee_basis_points": st.integers(0, 500),
    },
)
DOCUMENT = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(sorted(STRATEGIES)),
        **{name: st.just(table) for name, table in TABLES.items()},
    },
    optional={
        "rules": st.just(RULES),
        "fallback": st.permutations(NAMES).map(lambda names: names[:2]),
        "exploration": st.floats(0, 1),
        "weights": st.just({"success": 1, "latency": 0}),
    },
)


@settings(max_examples=150)
@given(
    document=DOCUMENT,
    configs=st.dictionaries(st.sampled_from(NAMES), CONFIG, min_size=1),
    health=st.dictionaries(st.sampled_from(NAMES), HEALTH),
    paused=st.sets(st.sampled_from(NAMES), max_size=1),
    turn=st.integers(0, 2**62),
    seed=st.integers(0, 2**32),
    minor=st.sampled_from([1, 1999, 10**9]),
    customer=st.sampled_from([{}, {"id": "cust_1", "country": "DE"}, {"country": "US"}]),
    named=st.sampled_from([(), (C_AND_A,), (NOBODY_ELIGIBLE, C_AND_A)]),
)
def test_a_decision_follows_from_its_inputs_alone_and_holds_every_gateway_that_may_take_the_payment(
    document, configs, health, paused, turn, seed, minor, customer, named
):
    payment = named_for(a_payment(amount=Money(minor, "USD"), customer=customer), named)
    config, known = routing(**document), candidates(**configs)
    inputs = (payment, known, health, config)
    told = (payment, [each.config for each in known], health, config)
    before = copy.deepcopy(told)

    def decision():
        return decide(*inputs, random.Random(seed), turn=turn, paused=paused)

    once = decision()
    assert once == decision()
    assert told == before
    may = {each.config.name for each in known if may_take(each.config, payment, health, paused)}
    assert sorted(once.candidates) == sorted(may)
    assert set(once.left_out) == set(configs) - may
    assert (once.rule == "dollars") == once.because.startswith("named by rule")
    assert json.loads(json.dumps(once.document()))["candidates"] == list(once.candidates)
    for scores in once.scores.values():
        assert all(
            0 <= value <= 1
            for part, value in scores.items()
            if part in ("score", "success", "latency", "cost")
        )


def may_take(gateway, payment, health, paused):
    """The same in other words: what a payment of a few dollars needs of a gateway."""
    known = health.get(gateway.name, GatewayHealth())
    is_open = known.state is BreakerState.OPEN and known.retry_in_s > 0
    limits = gateway.amounts.get("USD", AmountLimits())
    return (
        gateway.enabled
        and gateway.name not in paused
        and not is_open
        and gateway.currencies != {"EUR"}
        and (not gateway.countries or payment.customer.get("country") in (None, "DE"))
        and limits.min_minor <= payment.amount.minor <= (limits.max_minor or 10**12)
    )
