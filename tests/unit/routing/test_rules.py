"""Rules: what meets which condition, which rule wins, and what is refused with its place."""

from __future__ import annotations

import re

import pytest
from support.plain_payment import a_payment
from support.routing_inputs import NAMES, decided, routing

from aegis_worker.domain.money import Money
from aegis_worker.errors import ConfigurationError, InvalidRouting
from aegis_worker.routing.config import checked_routing, parse_routing
from aegis_worker.routing.patterns import LONGEST_VALUE, matcher
from aegis_worker.routing.rules import Condition


def a_rule(**changes):
    condition = {"field": "currency", "operator": "equals", "value": "USD"}
    return {"id": "dollars", "gateway": "c", "conditions": [condition]} | changes


def a_condition(**changes):
    return a_rule(conditions=[{"field": "currency", "operator": "equals", "value": "USD"} | changes])


PAYMENT = a_payment(
    amount=Money(1999, "USD"),
    customer={"id": "cust_1", "country": "DE"},
    metadata={"plan": "gold-12", "seats": 5, "ratio": 0.5, "trial": True, "note": None, "long": "x" * 300},
)


@pytest.mark.parametrize(
    ("field", "operator", "value", "met"),
    [
        ("amount", "equals", 1999, True),
        ("amount", "equals", 2000, False),
        ("amount", "not_equals", 1999, False),
        ("amount", "not_equals", 2000, True),
        ("amount", "greater_than", 1998, True),
        ("amount", "greater_than", 1999, False),
        ("amount", "greater_or_equal", 1999, True),
        ("amount", "greater_or_equal", 2000, False),
        ("amount", "less_than", 2000, True),
        ("amount", "less_than", 1999, False),
        ("amount", "less_or_equal", 1999, True),
        ("amount", "less_or_equal", 1998, False),
        ("amount", "in", (1, 1999), True),
        ("amount", "in", (1, 2), False),
        ("currency", "equals", "USD", True),
        ("currency", "in", ("EUR", "GBP"), False),
        ("payment_method", "equals", "card", True),
        ("payment_method", "not_equals", "card", False),
        ("customer_country", "in", ("FR", "DE"), True),
        ("customer_country", "not_equals", "DE", False),
        ("merchant_id", "contains", "_1", True),
        ("merchant_id", "matches", "m_[0-9]", True),
        ("merchant_id", "matches", "m_", False),  # of the whole value
        ("metadata.plan", "contains", "gold", True),
        ("metadata.plan", "contains", "silver", False),
        ("metadata.plan", "matches", "(gold|silver)-[0-9]+", True),
        ("metadata.plan", "matches", "(?i)GOLD.*", True),
        ("metadata.plan", "greater_than", 3, False),
        ("metadata.seats", "greater_than", 4.5, True),
        ("metadata.seats", "less_or_equal", 4, False),
        ("metadata.seats", "equals", "5", False),
        ("metadata.seats", "not_equals", "5", True),
        ("metadata.seats", "matches", "5", False),
        ("metadata.seats", "in", ("5", 5), True),
        ("metadata.ratio", "equals", 0.5, True),
        ("metadata.trial", "equals", True, True),
        ("metadata.trial", "equals", 1, False),
        ("metadata.trial", "not_equals", 1, True),
        ("metadata.trial", "in", (1, "true"), False),
        ("metadata.trial", "greater_than", 0, False),
        ("metadata.long", "matches", "x*", False),  # longer than any pattern looks at
        ("metadata.note", "equals", "x", False),  # null is absent
        ("metadata.note", "not_equals", "x", True),
        ("metadata.absent", "not_equals", "x", True),
        ("metadata.absent", "equals", "x", False),
        ("metadata.absent", "in", ("x",), False),
        ("metadata.absent", "less_than", 10, False),
        ("metadata.absent", "contains", "x", False),
        ("metadata.absent", "matches", ".*", False),
    ],
)
def test_what_meets_a_condition(field, operator, value, met):
    assert Condition(field, operator, value).met_by(PAYMENT) is met


def test_a_customer_without_a_country_is_in_none():
    stranger = a_payment()
    assert not Condition("customer_country", "equals", "DE").met_by(stranger)
    assert Condition("customer_country", "not_equals", "DE").met_by(stranger)


def test_a_rule_needs_all_of_its_conditions():
    conditions = [
        {"field": "currency", "operator": "equals", "value": "USD"},
        {"field": "amount", "operator": "greater_than", "value": 1000},
    ]
    document = {"rules": [a_rule(conditions=conditions)]}
    assert decided(document, amount=Money(1001, "USD")).rule == "dollars"
    assert decided(document, amount=Money(1000, "USD")).rule is None
    assert decided(document, amount=Money(1001, "EUR")).rule is None


def test_the_gateway_of_a_rule_goes_first_and_the_decision_says_which_rule():
    decision = decided({"rules": [a_rule()], "fallback": ["b"]})
    assert (decision.candidates, decision.rule) == (("c", "b", "a"), "dollars")
    assert decision.because == 'named by rule "dollars"'


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ([{}, {}], "first"),
        ([{"priority": 20}, {"priority": 10}], "second"),
        ([{"priority": 101}, {}], "second"),  # 100 where none is given
        ([{"enabled": False}, {}], "second"),
        ([{"gateway": "b"}, {}], "second"),  # b takes only euros
    ],
)
def test_the_enabled_rule_of_the_lowest_priority_wins_then_the_earlier_one(changes, rule):
    rules = [a_rule(id=name) | change for name, change in zip(("first", "second"), changes, strict=True)]
    configs = {"a": {}, "b": {"currencies": frozenset({"EUR"})}, "c": {}}
    assert decided({"rules": rules}, configs).rule == rule


def test_a_rule_goes_before_the_strategy_which_orders_the_rest():
    document = {"rules": [a_rule(gateway="a")], "strategy": "ROUND_ROBIN", "turn": 2}
    assert decided(document).candidates == ("a", "c", "b")


def test_where_a_rule_decides_nothing_is_explored():
    decision = decided({"rules": [a_rule()], "strategy": "METRICS_BASED", "exploration": 1})
    assert (decision.candidates, decision.explored) == (("c", "a", "b"), False)


REFUSED = [
    (a_rule(gateway="d"), 'rules[0] (id "dollars").gateway: unknown gateway "d"; one of a, b, c'),
    (
        a_condition(field="colour"),
        'rules[0] (id "dollars").conditions[0].field: unknown field "colour"; one of amount, currency, payment_method, '
        "customer_country, merchant_id, metadata.KEY",
    ),
    (a_condition(field="metadata."), '.conditions[0].field: unknown field "metadata."'),
    (a_condition(field="metadata.a b"), '.conditions[0].field: unknown field "metadata.a b"'),
    (a_condition(field=["amount"]), ".conditions[0].field: unknown field ['amount']"),
    (
        a_condition(operator="is"),
        '.conditions[0].operator: unknown operator "is"; one of equals, not_equals, ',
    ),
    (
        a_condition(operator="greater_than"),
        ".conditions[0].operator: currency takes equals, not_equals, in, ",
    ),
    (a_condition(field="amount", operator="matches"), ".conditions[0].operator: amount takes equals, "),
    (
        a_condition(field="amount", value="1999"),
        ".conditions[0].value: must be whole minor units, from 0 to ",
    ),
    (a_condition(field="amount", value=19.99), ".conditions[0].value: must be whole minor units"),
    (a_condition(field="amount", value=True), ".conditions[0].value: must be whole minor units"),
    (a_condition(field="amount", value=-1), ".conditions[0].value: must be whole minor units"),
    (
        a_condition(field="amount", operator="in", value=[1, 2.5]),
        ".conditions[0].value[1]: must be whole minor",
    ),
    (a_condition(value="usd"), '.conditions[0].value: "usd" is not an ISO 4217 currency'),
    (a_condition(value=["USD"]), ".conditions[0].value: ['USD'] is not an ISO 4217 currency"),
    (a_condition(operator="in", value="USD"), ".conditions[0].value: must be a list"),
    (a_condition(operator="in", value=[]), ".conditions[0].value: must have at least one item"),
    (a_condition(operator="in", value=["USD", "XXQ"]), '.conditions[0].value[1]: "XXQ" is not an ISO 4217'),
    (
        a_condition(operator="in", value=["USD"] * 501),
        ".conditions[0].value: must have at most 500 items, not 501",
    ),
    (
        a_condition(field="payment_method", value="cash"),
        'value: unknown payment method "cash"; one of card, ',
    ),
    (
        a_condition(field="customer_country", operator="in", value=["GB", "UK"]),
        '.conditions[0].value[1]: "UK" is not a country of ISO 3166-1',
    ),
    (a_condition(field="merchant_id", value=""), ".conditions[0].value: must be a string of 1 to 256"),
    (
        a_condition(field="metadata.x", value=None),
        ".conditions[0].value: must be a number, true, false, or a ",
    ),
    (
        a_condition(field="metadata.x", value=float("nan")),
        ".conditions[0].value: must be a number, true, false",
    ),
    (a_condition(field="metadata.x", value=10**400), ".conditions[0].value: must be a number, true, false"),
    (
        a_condition(field="metadata.x", operator="less_than", value="5"),
        ".conditions[0].value: must be a number",
    ),
    (
        a_condition(field="metadata.x", operator="less_than", value=True),
        ".conditions[0].value: must be a number",
    ),
    (a_condition(field="metadata.x", operator="contains", value=5), ".conditions[0].value: must be a string"),
    (
        a_condition(operator="matches", value="("),
        ".conditions[0].value: is not a regular expression that RE2 takes: missing )",
    ),
    (a_condition(operator="matches", value="(?=a)a"), ".conditions[0].value: is not a regular expression"),
    (
        a_condition(operator="matches", value=5),
        ".conditions[0].value: must be a regular expression in a string of printable",
    ),
    (a_condition(colour="red"), ".conditions[0].colour: unknown setting; known are field, operator, value"),
    (a_rule(conditions=[{"field": "amount"}]), '(id "dollars").conditions[0].operator: is missing'),
    (a_rule(conditions=[{}]), '(id "dollars").conditions[0].field: is missing'),
    (a_rule(conditions=["x"]), '(id "dollars").conditions[0]: must be a table'),
    (a_rule(conditions=[]), '(id "dollars").conditions: must have at least one condition'),
    (a_rule(conditions=[{}] * 21), '(id "dollars").conditions: must have at most 20 items, not 21'),
    (a_rule(conditions={}), '(id "dollars").conditions: must be a list'),
    (a_rule(priority=-1), '(id "dollars").priority: must be a whole number from 0 to 1000000'),
    (a_rule(priority=1.0), '(id "dollars").priority: must be a whole number'),
    (a_rule(enabled=1), '(id "dollars").enabled: must be true or false'),
    (a_rule(description="x" * 501), '(id "dollars").description: must be a string of 1 to 500'),
    (
        a_rule(gatway="a"),
        '(id "dollars").gatway: unknown setting; known are conditions, description, enabled, ',
    ),
    (a_rule(id="no spaces"), 'rules[0] (id "no spaces").id: must be 1 to 64 letters'),
    (a_rule(id=5), "rules[0].id: must be 1 to 64 letters"),
    ({"id": "x"}, 'rules[0] (id "x").gateway: is missing'),
    ({}, "rules[0].id: is missing"),
    ("x", "rules[0]: must be a table"),
]


@pytest.mark.parametrize(("rule", "complaint"), REFUSED, ids=[complaint[:70] for _, complaint in REFUSED])
def test_a_wrong_rule_is_refused_with_its_place_in_the_file(rule, complaint):
    with pytest.raises(ConfigurationError, match=re.escape(complaint)):
        parse_routing({"rules": [rule]}, gateways=NAMES, where="routing.toml")


def test_no_two_rules_have_the_same_id():
    with pytest.raises(
        ConfigurationError, match=re.escape('rules[2] (id "dollars").id: rules[0] has this id already')
    ):
        routing(rules=[a_rule(), a_rule(id="x"), a_rule()])


def test_there_are_at_most_500_rules():
    rules = [a_rule(id=f"r{number}") for number in range(501)]
    assert len(routing(rules=rules[:500]).rules) == 500
    with pytest.raises(ConfigurationError, match="rules: must have at most 500 items, not 501"):
        routing(rules=rules)


def test_every_wrong_place_is_told_at_once_as_a_json_pointer():
    rules = [a_condition(field="colour"), a_rule(id="x", gateway="d", priority="high")]
    with pytest.raises(InvalidRouting) as refused:
        checked_routing({"rules": rules, "a/b~c": 1}, NAMES)
    assert {problem["pointer"] for problem in refused.value.problems} == {
        *("/a~1b~0c", "/rules/0/conditions/0/field", "/rules/1/gateway", "/rules/1/priority")
    }
    assert str(refused.value).endswith("and 3 more")


def test_a_document_that_is_wrong_all_over_is_told_of_fifty_places():
    with pytest.raises(InvalidRouting) as refused:
        checked_routing({"rules": [{}] * 400}, NAMES)
    assert len(refused.value.problems) == 50


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("gold|silver", "silver"),
        ("[a-z]{2,10}-?[0-9]*", "ab-12"),
        (".*gold.*", "the gold plan"),
        ("(?:ab)*", "abab"),
        ("^m_[^_]+$", "m_1"),
        ("(red|blue){1,3}", "redblue"),
        ("a?" * 16 + "a" * 16, "a" * 16),
    ],
)
def test_common_patterns_are_taken(pattern, value):
    assert matcher(pattern)(value)


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)a", "invalid perl operator"),
        ("(?!a)b", "invalid perl operator"),
        ("(?<!a)b", "invalid perl operator"),
        ("(a)?(?(1)b|c)", "invalid perl operator"),
        ("(?>a+)b", "invalid perl operator"),
        ("a++b", "bad repetition operator"),
        ("a{,5}", "write {0,n}"),
        (r"(?:\pL?){1000}", "pattern too large"),
        ("(?:(?:a{100}){100}){100}", "invalid repetition size"),
        ("a" * 201, "1 to 200 characters"),
        ("", "1 to 200 characters"),
        ("*", "no argument for repetition"),
    ],
)
def test_a_pattern_that_can_not_be_matched_in_linear_time_or_means_something_else_is_refused(
    pattern, complaint, capfd
):
    with pytest.raises(ValueError, match=re.escape(complaint)):
        matcher(pattern)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "(?:(?:a|.){257}|b)",
        "(a+)+b",
        "(a|a)*b",
        "(?:a|ab)*?c",
        "(.*)*b",
        "(?:(?:){30}){30}b",
        ".*a" * 60 + "b",
        "(?:a?){500}b",
        "a?" * 99 + "b",
        "(?i)(?:a|A|[aA]|.)+b",
        "(?:|a|aa|aaa)+b",
        "(?:(?:(?:a*)*)*)*b",
        "(?:(?:a{1,9}){1,9}){1,9}b",
    ],
)
@pytest.mark.parametrize("value", ["a" * LONGEST_VALUE, "aA" * (LONGEST_VALUE // 2), "ä" * LONGEST_VALUE])
def test_no_pattern_that_is_taken_holds_a_worker_up(pattern, value):
    """The backtracking engine would need longer than anybody waits for each of them."""
    assert not matcher(pattern)(value)


def test_a_value_that_is_no_valid_unicode_matches_nothing_and_raises_nothing():
    assert not matcher("[a-z]+")("\ud800")


def test_a_rule_names_no_gateway_that_may_not_take_the_payment():
    decision = decided({"rules": [a_rule()]}, {"a": {}, "c": {"enabled": False}})
    assert (decision.candidates, decision.rule) == (("a",), None)
