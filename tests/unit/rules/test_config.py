"""Documents of rules: what is read, what is refused with file, line and reason, and that nothing is on as shipped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.checkout import CHECKOUT
from support.rule_inputs import a_rule, amount, velocity

from aegis_worker.domain.screening import Action
from aegis_worker.errors import ConfigurationError, InvalidRules
from aegis_worker.rules.config import checked_rules_document, load_rules, rules_document
from aegis_worker.rules.rule import RulesConfig

SHIPPED = CHECKOUT / "config" / "rules.toml"


def refusal(tmp_path: Path, text: str) -> str:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load_rules(path)
    return str(refused.value).replace(str(tmp_path), "DIR")


def test_as_shipped_and_without_a_file_no_rule_is_on(tmp_path: Path) -> None:
    assert load_rules(SHIPPED) == load_rules(tmp_path / "none.toml") == RulesConfig()
    assert load_rules(SHIPPED).on == ()


def test_every_setting_that_the_shipped_file_explains_can_be_switched_on(tmp_path: Path) -> None:
    text = re.sub(r"^#(?=[\[\]a-z \"}{])(?! )", "", SHIPPED.read_text(), flags=re.MULTILINE)
    text = re.sub(r"^#(?=    \{)", "", text, flags=re.MULTILINE)
    path = tmp_path / "rules.toml"
    path.write_text(text)
    config = load_rules(path)
    assert set(config.built_in) == {"high_value", "country_mismatch", "velocity", "card_testing"}
    assert {rule.action or Action.ALLOW for rule in config.on} == set(Action)
    assert config.thresholds


def test_what_is_wrong_is_refused_with_file_line_and_reason(tmp_path: Path) -> None:
    text = """
[[rules]]
id = "large"
action = "block"
conditions = [
    { field = "currency", operator = "eq", value = "USD" },
    { field = "amount", operator = "gt", value = "1000000" },
]

[[rules]]
id = "large"
action = "stop"
conditions = [{ field = "colour", operator = "eq", value = 1 }]
"""
    assert refusal(tmp_path, text).splitlines() == [
        'DIR/rules.toml:7: rules[0] (id "large").conditions[1].value: must be whole minor units, from 0 to 99999999999',
        'DIR/rules.toml:12: rules[1] (id "large").action: unknown action "stop"; one of '
        "flag, require_three_ds, review, block",
        'DIR/rules.toml:13: rules[1] (id "large").conditions[0].field: unknown field "colour"; one of '
        "amount, currency, payment_method, merchant_id, mode, capture_method, reference, off_session, customer_id, "
        "customer_country, card_network, card_last4, card_fingerprint, provider, email, email_domain, payer_ip, "
        "payer_country, shipping_country, countries_differ, hour, weekday, metadata.KEY, velocity.card.count, "
        "velocity.card.sum, velocity.card.declines, velocity.customer.count, velocity.customer.sum, "
        "velocity.customer.cards, velocity.customer.declines, velocity.email.count, velocity.email.sum, "
        "velocity.email.cards, velocity.email.declines, velocity.ip.count, velocity.ip.sum, velocity.ip.cards, "
        "velocity.ip.declines, velocity.merchant.count, velocity.merchant.sum, velocity.merchant.cards, "
        "velocity.merchant.declines",
        'DIR/rules.toml:11: rules[1] (id "large").id: rules[0] has this id already',
    ]


def test_lists_in_the_place_of_tables_are_told_with_their_lines_too(tmp_path: Path) -> None:
    text = '[[rules]]\nid = "x"\naction = "flag"\nconditions = [\n    [],\n]\n'
    assert refusal(tmp_path, text).startswith(
        'DIR/rules.toml:5: rules[0] (id "x").conditions[0]: must be a table\n'
        'DIR/rules.toml:5: rules[0] (id "x").conditions[0].field: is missing'
    )


def test_a_file_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "rules.toml: line 2, column" in refusal(tmp_path, "a = 1\nb = = 2\n")


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"on_redis_loss": "maybe"}, "/on_redis_loss", 'unknown policy "maybe"; one of open, review, closed'),
    ({"most_entries": 10}, "/most_entries", "must be a whole number from 1000 to 10000000"),
    ({"thresholds": {"stop": 5}}, "/thresholds/stop", "unknown setting; known are block, flag"),
    ({"thresholds": {"block": 0}}, "/thresholds/block", "must be a whole number from 1 to 10000"),
    ({"colour": 1}, "/colour", "unknown setting"),
    ({"rules": {}}, "/rules", "must be a list"),
    ({"rules": ["x"]}, "/rules/0", "must be a table"),
    ({"rules": [{}] * 201}, "/rules", "must have at most 200 items"),
    ({"rules": [a_rule(amount("gt", 1), score=5)]}, "/thresholds", "is missing: scores come to nothing"),
    (
        {"rules": [a_rule(amount("gt", 1), score=5, action="flag")]},
        "/rules/0/score",
        "stands beside an action",
    ),
    (
        {"rules": [a_rule(amount("gt", 1), score=101)]},
        "/rules/0/score",
        "must be a whole number from 1 to 100",
    ),
    ({"rules": [{"id": "x", "conditions": [amount("gt", 1)]}]}, "/rules/0/action", "is missing"),
    ({"rules": [a_rule()]}, "/rules/0/conditions", "must have at least one condition"),
    ({"rules": [{"id": "x", "action": "flag"}]}, "/rules/0/conditions", "is missing"),
    (
        {"rules": [a_rule(amount("gt", 1), on_redis_loss="open")]},
        "/rules/0/on_redis_loss",
        "is for rules with a velocity",
    ),
    ({"rules": [a_rule(amount("gt", 1), id="a b")]}, "/rules/0/id", "must be 1 to 64 letters"),
    ({"rules": [a_rule(amount("equals", 1))]}, "/rules/0/conditions/0/operator", 'unknown operator "equals"'),
    ({"rules": [a_rule(velocity("card.cards", 1))]}, "/rules/0/conditions/0/field", "unknown velocity"),
    (
        {"rules": [a_rule(velocity("card.count", 1, "1w"))]},
        "/rules/0/conditions/0/window",
        "must be a time such as",
    ),
    ({"rules": [a_rule(velocity("card.count", 1, "31d"))]}, "/rules/0/conditions/0/window", "from 1s to 30d"),
    (
        {"rules": [a_rule(velocity("card.count", 1, operator="lt"))]},
        "/rules/0/conditions/0/operator",
        "one of gt, gte",
    ),
    (
        {"rules": [a_rule(velocity("card.count", 0, operator="gte"))]},
        "/rules/0/conditions/0/value",
        "from 1 to",
    ),
    ({"rules": [a_rule(velocity("ip.cards", 100))]}, "/rules/0/conditions/0/value", "from 0 to 99"),
    (
        {"rules": [a_rule(velocity("ip.count", True))]},
        "/rules/0/conditions/0/value",
        "must be a whole number",
    ),
    (
        {"rules": [a_rule(velocity("ip.count", 1, colour=1))]},
        "/rules/0/conditions/0/colour",
        "unknown setting",
    ),
    ({"rules": [a_rule({"field": "velocity.ip.count"})]}, "/rules/0/conditions/0/window", "is missing"),
    ({"rules": [a_rule(*[velocity("ip.count", 1)] * 5)]}, "/rules/0/conditions", "at most 4 velocities"),
    (
        {"rules": [a_rule({"field": "email", "operator": "eq", "value": "A@b.example"})]},
        "/rules/0/conditions/0/value",
        "is compared in lower case",
    ),
    (
        {"rules": [a_rule({"field": "payer_ip", "operator": "in", "value": ["10.0.0.1", "2001:DB8::1"]})]},
        "/rules/0/conditions/0/value/1",
        'write "2001:db8::1"',
    ),
    (
        {"rules": [a_rule({"field": "payer_ip", "operator": "in", "value": ["10.0.0.1/8"]})]},
        "/rules/0/conditions/0/value/0",
        'is compared in one form: write "10.0.0.0/8"',
    ),
    (
        {"rules": [a_rule({"field": "payer_ip", "operator": "in", "value": ["10.0.0.0/33"]})]},
        "/rules/0/conditions/0/value/0",
        "must be a block of addresses",
    ),
    (
        {"rules": [a_rule({"field": "payer_ip", "operator": "in", "value": ["::ffff:10.0.0.0/104"]})]},
        "/rules/0/conditions/0/value/0",
        "write it as a block of IPv4",
    ),
    (
        {"rules": [a_rule({"field": "payer_ip", "operator": "eq", "value": "10.0.0.0/8"})]},
        "/rules/0/conditions/0/value",
        "must be an IPv4 or IPv6 address",
    ),
    (
        {"rules": [a_rule({"field": "payer_ip", "operator": "eq", "value": "::ffff:10.0.0.1"})]},
        "/rules/0/conditions/0/value",
        'write "10.0.0.1"',
    ),
    (
        {"rules": [a_rule(velocity("ip.declines", 1, refused_count=False))]},
        "/rules/0/conditions/0/refused_count",
        "not for declines",
    ),
    (
        {"rules": [a_rule({"field": "hour", "operator": "lt", "value": 24})]},
        "/rules/0/conditions/0/value",
        "from 0 to 23",
    ),
    ({"high_value": {}}, "/high_value", "must have a limit: one of above"),
    ({"high_value": {"above": {"USX": 5}}}, "/high_value/above/USX", "is not an ISO 4217 currency"),
    (
        {"high_value": {"above": {"USD": 5}, "on_redis_loss": "open"}},
        "/high_value/on_redis_loss",
        "unknown setting",
    ),
    ({"velocity": {"window": "1h"}}, "/velocity", "must have a limit: one of per_card"),
    ({"velocity": {"per_card": 0}}, "/velocity/per_card", "from 1 to"),
    ({"card_testing": {"small_per_ip": 3}}, "/card_testing", "lacks small"),
    ({"card_testing": {"small": {"USD": 100}}}, "/card_testing", "lacks small_per_ip"),
    ({"country_mismatch": {"action": "refuse"}}, "/country_mismatch/action", "unknown action"),
    (
        {"velocity": {"per_card": 5}, "rules": [a_rule(amount("gt", 1), id="velocity.card")]},
        "/rules/0/id",
        "[velocity] has this id already",
    ),
]


@pytest.mark.parametrize(
    ("document", "pointer", "why"), REFUSED, ids=[f"{at} {why[:40]}" for _, at, why in REFUSED]
)
def test_a_wrong_value_is_refused_with_a_pointer_to_it(
    document: dict[str, Any], pointer: str, why: str
) -> None:
    with pytest.raises(InvalidRules) as refused:
        checked_rules_document(document)
    said = {problem["pointer"]: problem["detail"] for problem in refused.value.problems}
    assert pointer in said
    assert why in said[pointer]


@pytest.mark.parametrize(
    "document", [None, [], "x", {"high_value": 5}, {"thresholds": []}, {"velocity": {"window": []}}]
)
def test_what_is_no_document_of_rules_is_refused(document: Any) -> None:
    with pytest.raises(InvalidRules):
        checked_rules_document(document)


def test_a_document_that_is_written_is_read_as_the_same_rules() -> None:
    document = {
        "on_redis_loss": "closed",
        "thresholds": {"review": 50, "block": 80},
        "high_value": {"above": {"USD": 500_000, "JPY": 700_000}, "score": 60},
        "card_testing": {"enabled": False, "cards_per_ip": 3, "window": "10m", "on_redis_loss": "open"},
        "rules": [
            a_rule(
                amount("in", [1, 2]),
                velocity("card.count", 5, refused_count=False),
                id="a",
                description="why",
            ),
            a_rule(
                {"field": "metadata.plan", "operator": "eq", "value": "gold"}, id="b", score=20, enabled=False
            ),
        ],
    }
    config = checked_rules_document(document)
    assert checked_rules_document(rules_document(config)) == config
    assert [rule.id for rule in config.on] == ["high_value.USD", "high_value.JPY", "a"]
    assert [rule.on_redis_loss for rule in config.on] == ["closed", "closed", "closed"]


def test_a_bad_block_of_addresses_is_refused_with_file_line_and_reason(tmp_path: Path) -> None:
    text = """
[[rules]]
id = "data-centres"
action = "review"
conditions = [
    { field = "payer_ip", operator = "in", value = [
        "203.0.113.0/24",
        "198.51.100.7/24",
    ] },
]
"""
    assert refusal(tmp_path, text) == (
        'DIR/rules.toml:8: rules[0] (id "data-centres").conditions[0].value[1]: '
        'is compared in one form: write "198.51.100.0/24"'
    )
