"""Rules: what meets which condition, which rule wins, and what is refused with its place."""

from __future__ import annotations

import re

import pytest
from support.plain_payment import a_payment
from support.routing_inputs import NAMES, decided, routing

from aegis_worker.domain.money import Money
from aegis_worker.errors import ConfigurationError, InvalidRouting
from aegis_worker.matching.conditions import Condition
from aegis_worker.routing.config import checked_routing, parse_routing, routing_document
from aegis_worker.routing.rules import FIELDS


def a_rule(**changes):
    condition = {"field": "currency", "operator": "eq", "value": "USD"}
    return {"id": "dollars", "gateway": "c", "conditions": [condition]} | changes


def a_condition(**changes):
    return a_rule(conditions=[{"field": "currency", "operator": "eq", "value": "USD"} | changes])


PAYMENT = a_payment(
    amount=Money(1999, "USD"),
    customer={"id": "cust_1", "country": "DE"},
    metadata={"plan": "gold-12", "seats": 5, "ratio": 0.5, "trial": True, "note": None, "long": "x" * 300},
)


@pytest.mark.parametrize(
    ("field", "operator", "value", "met"),
    [
        ("amount", "eq", 1999, True),
        ("amount", "eq", 2000, False),
        ("amount", "ne", 1999, False),
        ("amount", "ne", 2000, True),
        ("amount", "gt", 1998, True),
        ("amount", "gt", 1999, False),
        ("amount", "gte", 1999, True),
        ("amount", "gte", 2000, False),
        ("amount", "lt", 2000, True),
        ("amount", "lt", 1999, False),
        ("amount", "lte", 1999, True),
        ("amount", "lte", 1998, False),
        ("amount", "in", (1, 1999), True),
        ("amount", "in", (1, 2), False),
        ("currency", "eq", "USD", True),
        ("currency", "in", ("EUR", "GBP"), False),
        ("payment_method", "eq", "card", True),
        ("payment_method", "ne", "card", False),
        ("customer_country", "in", ("FR", "DE"), True),
        ("customer_country", "ne", "DE", False),
        ("merchant_id", "contains", "_1", True),
        ("merchant_id", "matches", "m_[0-9]", True),
        ("merchant_id", "matches", "m_", False),  # of the whole value
        ("metadata.plan", "contains", "gold", True),
        ("metadata.plan", "contains", "silver", False),
        ("metadata.plan", "matches", "(gold|silver)-[0-9]+", True),
        ("metadata.plan", "matches", "(?i)GOLD.*", True),
        ("metadata.plan", "gt", 3, False),
        ("metadata.seats", "gt", 4.5, True),
        ("metadata.seats", "lte", 4, False),
        ("metadata.seats", "eq", "5", False),
        ("metadata.seats", "ne", "5", True),
        ("metadata.seats", "matches", "5", False),
        ("metadata.seats", "in", ("5", 5), True),
        ("metadata.ratio", "eq", 0.5, True),
        ("metadata.trial", "eq", True, True),
        ("metadata.trial", "eq", 1, False),
        ("metadata.trial", "ne", 1, True),
        ("metadata.trial", "in", (1, "true"), False),
        ("metadata.trial", "gt", 0, False),
        ("metadata.long", "matches", "x*", False),  # longer than any pattern looks at
        ("metadata.note", "eq", "x", False),  # null is absent
        ("metadata.note", "ne", "x", True),
        ("metadata.absent", "ne", "x", True),
        ("metadata.absent", "eq", "x", False),
        ("metadata.absent", "in", ("x",), False),
        ("metadata.absent", "lt", 10, False),
        ("metadata.absent", "contains", "x", False),
        ("metadata.absent", "matches", ".*", False),
    ],
)
def test_what_meets_a_condition(field, operator, value, met):
    assert Condition(field, operator, value, FIELDS).met_by(PAYMENT) is met


def test_a_customer_without_a_country_is_in_none():
    stranger = a_payment()
    assert not Condition("customer_country", "eq", "DE", FIELDS).met_by(stranger)
    assert Condition("customer_country", "ne", "DE", FIELDS).met_by(stranger)


def test_a_rule_needs_all_of_its_conditions():
    conditions = [
        {"field": "currency", "operator": "eq", "value": "USD"},
        {"field": "amount", "operator": "gt", "value": 1000},
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
        "customer_country, merchant_id, metadata.KEY, facts.KEY",
    ),
    (a_condition(field="metadata."), '.conditions[0].field: unknown field "metadata."'),
    (a_condition(field="metadata.a b"), '.conditions[0].field: unknown field "metadata.a b"'),
    (a_condition(field=["amount"]), ".conditions[0].field: unknown field ['amount']"),
    (
        a_condition(operator="is"),
        '.conditions[0].operator: unknown operator "is"; one of eq, ne, ',
    ),
    (
        a_condition(operator="gt"),
        ".conditions[0].operator: currency takes eq, ne, in, ",
    ),
    (a_condition(field="amount", operator="matches"), ".conditions[0].operator: amount takes eq, "),
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
        a_condition(field="metadata.x", operator="lt", value="5"),
        ".conditions[0].value: must be a number",
    ),
    (
        a_condition(field="metadata.x", operator="lt", value=True),
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


def test_a_rule_names_no_gateway_that_may_not_take_the_payment():
    decision = decided({"rules": [a_rule()]}, {"a": {}, "c": {"enabled": False}})
    assert (decision.candidates, decision.rule) == (("a",), None)


OLD_NAMES = {
    "equals": "eq",
    "not_equals": "ne",
    "greater_than": "gt",
    "greater_or_equal": "gte",
    "less_than": "lt",
    "less_or_equal": "lte",
}


@pytest.mark.parametrize("old", OLD_NAMES)
def test_a_document_with_the_older_names_of_operators_is_read_and_written_with_the_new_ones(old):
    document = {"rules": [a_condition(field="amount", operator=old, value=5)]}
    config = checked_routing(document, NAMES)
    assert config.rules[0].conditions[0].operator == OLD_NAMES[old]
    assert routing_document(config)["rules"][0]["conditions"][0]["operator"] == OLD_NAMES[old]
    assert document["rules"][0]["conditions"][0]["operator"] == old


@pytest.mark.parametrize(
    "rules",
    [{}, "x", ["x"], [{"conditions": {}}], [{"conditions": ["x"]}], [{"conditions": [{"operator": []}]}]],
)
def test_a_malformed_document_is_told_what_is_wrong_and_not_taken_for_an_older_one(rules):
    with pytest.raises(InvalidRouting):
        checked_routing({"rules": rules}, NAMES)
