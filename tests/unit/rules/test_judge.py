"""What rules find in a payment, with counters that are given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rule_inputs import DISGUISE, a_rule, amount, asked, rules, velocity

from aegis_worker.domain.money import Money
from aegis_worker.domain.screening import Action, Finding
from aegis_worker.ids import first_id_at
from aegis_worker.matching.conditions import Condition
from aegis_worker.rules.addresses import ADDRESS
from aegis_worker.rules.fields import FIELDS, Asked
from aegis_worker.rules.judge import Counted, asks_of, asks_of_decline, findings_of, met_so_far
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.rules.simulate import RulesSimulation
from aegis_worker.rules.velocity import Ask


def asks(config: RulesConfig, one: Asked) -> list[Ask]:
    """What the counters are asked."""
    return asks_of(met_so_far(config, one, DISGUISE.asking(one)))


def found(config: RulesConfig, one: Asked, *values: int, failed: str | None = None) -> tuple[Finding, ...]:
    """What the rules find where the counters, in the order of the rules, come to these numbers."""
    met = met_so_far(config, one, DISGUISE.asking(one))
    counted = {ask.counter.id: value for ask, value in zip(asks_of(met), values, strict=False)}
    return findings_of(config, met, Counted(counted, failed))


def test_amount_gt_1000000_blocks_1000001_and_not_1000000() -> None:
    config = rules(a_rule(amount("gt", 1_000_000), id="high"))
    assert found(config, asked(amount=Money(1_000_000, "USD"))) == ()
    (finding,) = found(config, asked(amount=Money(1_000_001, "USD")))
    assert finding == Finding("rule high", Action.BLOCK, "amount gt 1000000")


PAYER = {
    "email": "Asha@Shop.example",
    "ip": "::ffff:203.0.113.7",
    "billing_address": {"country": "DE"},
    "shipping_address": {"country": "FR"},
}
VAULTED = {
    "type": "card",
    "token": "card_1",
    "gateway": "vault",
    "network": "visa",
    "last4": "4242",
    "fingerprint": "fp_1",
}
AT_NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
AT_NINE_ON_MONDAY = first_id_at("pay", datetime(2026, 11, 23, 9, 59, tzinfo=UTC))


@pytest.mark.parametrize(
    ("field", "operator", "value", "met"),
    [
        ("email", "eq", "asha@shop.example", True),
        ("email_domain", "in", ("shop.example",), True),
        ("payer_ip", "eq", "203.0.113.7", True),
        ("payer_ip", "in", ("198.51.100.1", "203.0.113.0/29"), True),
        ("payer_ip", "in", ("203.0.113.8/29", "2001:db8::/32", "203.0.113.6"), False),
        ("payer_ip", "in", ("0.0.0.0/0",), True),
        ("payer_ip", "in", ("::/0",), False),
        ("payer_country", "eq", "DE", True),
        ("shipping_country", "ne", "FR", False),
        ("countries_differ", "eq", True, True),
        ("customer_country", "eq", "DE", False),
        ("customer_id", "matches", "cus_[0-9]+", True),
        ("card_network", "eq", "visa", True),
        ("card_last4", "eq", "4242", True),
        ("card_fingerprint", "in", ("fp_1",), True),
        ("off_session", "eq", False, True),
        ("capture_method", "eq", "automatic", True),
        ("mode", "eq", "test", True),
        ("hour", "eq", 9, True),
        ("hour", "lt", 9, False),
        ("weekday", "eq", "monday", True),
        ("metadata.plan", "contains", "gold", True),
        ("reference", "eq", "x", False),
        ("provider", "ne", "x", True),
    ],
)
def test_what_meets_a_condition(field: str, operator: str, value: Any, met: bool) -> None:
    one = asked(
        PAYER,
        payment_id=AT_NINE_ON_MONDAY,
        payment_method=VAULTED,
        customer={"id": "cus_1", "country": "NL"},
        metadata={"plan": "gold"},
    )
    assert Condition(field, operator, value, FIELDS).met_by(one) is met


@pytest.mark.parametrize("field", list(FIELDS))
def test_a_payment_that_has_nothing_but_its_amount_can_be_asked_about_every_field(field: str) -> None:
    bare = asked(payment_method={"type": "upi"})
    known = FIELDS.field(field)
    assert known is not None
    known.read(bare)


@pytest.mark.parametrize(
    "payer", [None, {}, {"ip": "no address"}, {"ip": 5}, {"billing_address": "Berlin"}, {"email": ["x"]}]
)
def test_who_is_not_known_is_in_no_country_and_has_no_address(payer: dict[str, Any] | None) -> None:
    one = asked(payer)
    for field in ("email", "payer_ip", "payer_country", "email_domain"):
        assert Condition(field, "ne", "x", FIELDS).met_by(one)
    assert Condition("countries_differ", "eq", False, FIELDS).met_by(one)


def test_a_finding_repeats_nothing_that_says_who_pays() -> None:
    person = {"field": "email", "operator": "eq", "value": "asha@shop.example"}
    (finding,) = found(rules(a_rule(person)), asked(PAYER))
    assert finding.reason == "email eq …"


def test_a_velocity_is_met_above_its_number_and_the_finding_says_both() -> None:
    config = rules(a_rule(velocity("card.count", 5), description="Too many tries"))
    assert found(config, asked(), 5) == ()
    (finding,) = found(config, asked(), 6)
    assert finding.reason == "Too many tries; payments per card in 1h is 6"


def test_gte_is_met_at_its_number() -> None:
    config = rules(a_rule(velocity("card.sum", 5000, operator="gte")))
    assert found(config, asked(), 4999) == ()
    assert found(config, asked(), 5000)[0].action is Action.BLOCK


def test_counters_are_asked_about_payments_that_meet_the_other_conditions_only() -> None:
    config = rules(a_rule(amount("gt", 5000), velocity("card.count", 5)))
    assert asks(config, asked()) == []
    assert len(asks(config, asked(amount=Money(5001, "USD")))) == 1


def test_a_payment_without_what_is_counted_meets_no_velocity_even_where_redis_is_lost() -> None:
    config = rules(a_rule(velocity("ip.count", 0), on_redis_loss="closed"))
    assert found(config, asked(), failed="Redis gave no answer") == ()


def test_rules_that_count_the_same_share_a_counter_and_others_do_not() -> None:
    config = rules(
        a_rule(velocity("card.count", 5), id="a"),
        a_rule(velocity("card.count", 9), id="b", action="flag"),
        a_rule(velocity("card.count", 5, "2h"), id="c"),
        a_rule(velocity("card.count", 5), amount("gt", 1), id="d"),
        a_rule(velocity("card.sum", 5), id="e"),
        a_rule(velocity("card.count", 5, refused_count=False), id="f"),
    )
    counters = [rule.counters[0].id for rule in config.on]
    assert counters[0] == counters[1]
    assert len(set(counters)) == 5


@pytest.mark.parametrize(
    ("policy", "action"), [("open", Action.ALLOW), ("review", Action.REVIEW), ("closed", Action.BLOCK)]
)
def test_where_redis_is_lost_the_policy_of_the_rule_holds_and_is_told(policy: str, action: Action) -> None:
    config = rules(a_rule(velocity("card.count", 5), on_redis_loss=policy))
    (finding,) = found(config, asked(), failed="Redis gave no answer")
    assert (finding.action, finding.failed) == (action, f"Redis gave no answer; on_redis_loss = {policy}")


@pytest.mark.parametrize(
    ("value", "why"), [(-1, "its counter is full"), (-2, "too many payments are counted")]
)
def test_where_a_counter_takes_no_more_the_policy_holds_too(value: int, why: str) -> None:
    (finding,) = found(rules(a_rule(velocity("card.count", 5))), asked(), value)
    assert finding.action is Action.REVIEW
    assert str(finding.failed).startswith(why)


def test_a_rule_of_two_counters_is_not_met_where_one_is_below_although_the_other_is_not_known() -> None:
    config = rules(a_rule(velocity("card.count", 5), velocity("merchant.count", 5), on_redis_loss="closed"))
    assert found(config, asked(), -1, 5) == ()
    assert found(config, asked(), 6, 5) == ()
    assert found(config, asked(), 6, 6)[0].failed is None


def test_scores_add_up_and_the_most_severe_threshold_that_is_reached_holds() -> None:
    tables = [
        a_rule(amount("gt", least), id=f"r{least}", score=score)
        for least, score in ((0, 40), (10, 15), (20, 60))
    ]
    config = rules(*tables, thresholds={"review": 50, "block": 100})

    def actions(minor: int) -> list[tuple[str, Action, int | None]]:
        return [(f.source, f.action, f.score) for f in found(config, asked(amount=Money(minor, "USD")))]

    assert actions(1) == [("rule r0", Action.ALLOW, 40)]
    assert actions(11)[-1] == ("rules score", Action.REVIEW, 55)
    assert actions(21)[-1] == ("rules score", Action.BLOCK, 100)


def test_a_rule_that_is_off_finds_nothing_and_counts_nothing() -> None:
    config = rules(a_rule(velocity("card.count", 0), enabled=False))
    assert config.on == ()
    assert found(config, asked(), 5) == ()


def test_names_in_the_counters_say_nothing_of_who_pays_and_differ_by_mode_and_currency() -> None:
    config = rules(a_rule(velocity("email.sum", 5)), a_rule(velocity("ip.cards", 5), id="b"))
    subjects = set()
    for mode in ("live", "test"):
        for currency in ("USD", "EUR"):
            one = asked(PAYER, mode=mode, amount=Money(5, currency))
            for ask in asks(config, one):
                subjects.add(ask.subject)
                assert "asha" not in ask.subject
                assert "203" not in ask.subject
    assert len(subjects) == 4 + 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
    ],
)
def test_an_ipv6_address_counts_as_its_network(one: str, other: str, same: bool) -> None:
    config = rules(a_rule(velocity("ip.count", 5)))
    first, second = (asks(config, asked({"ip": ip}))[0] for ip in (one, other))
    assert (first.subject == second.subject) is same


def test_country_mismatch_and_high_value_and_card_testing_are_rules_like_others() -> None:
    config = rules(
        high_value={"above": {"USD": 1000, "JPY": 5}},
        country_mismatch={"action": "require_three_ds"},
        card_testing={"cards_per_ip": 3, "small": {"USD": 100}, "small_per_ip": 2, "window": "10m"},
    )
    sources = [(f.source, f.action) for f in found(config, asked(PAYER, amount=Money(1001, "USD")), 3)]
    assert sources == [("rule high_value.USD", Action.REVIEW), ("rule country_mismatch", Action.REQUIRE_3DS)]
    small = found(config, asked({"ip": "203.0.113.7"}, amount=Money(100, "USD")), 4, 3)
    assert [f.source for f in small] == [
        "rule card_testing.cards_per_ip",
        "rule card_testing.small_per_ip.USD",
    ]


@pytest.mark.parametrize(
    ("ip", "met"),
    [
        ("10.1.2.3", True),
        ("10.255.255.255", True),
        ("11.0.0.0", False),
        ("::ffff:10.1.2.3", True),
        ("2001:db8:1::9", True),
        ("2001:db9::", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
    ],
)
def test_an_address_is_in_a_block_of_its_own_kind(ip: str, met: bool) -> None:
    blocks = ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32")
    assert Condition("payer_ip", "in", blocks, FIELDS).met_by(asked({"ip": ip})) is met


@settings(max_examples=30)
@given(st.ip_addresses(), st.lists(st.ip_addresses(), max_size=6), st.data())
def test_an_address_is_in_blocks_as_the_standard_library_has_it(
    address: IPv4Address | IPv6Address, others: list[IPv4Address | IPv6Address], data: st.DataObject
) -> None:
    near = [*others, address]
    blocks = [
        ip_network((one, data.draw(st.integers(0, one.max_prefixlen))), strict=False)
        for one in data.draw(st.lists(st.sampled_from(near), min_size=1, max_size=6))
    ]
    is_in = ADDRESS.test("in", tuple(map(str, blocks)))
    assert is_in(str(address)) is any(address in block for block in blocks)


def test_a_payment_hears_of_the_declines_before_it_and_adds_none_by_being_screened() -> None:
    config = rules(a_rule(amount("lt", 500), velocity("card.declines", 3), id="tried-out"))
    small, large = asked(amount=Money(100, "USD")), asked(amount=Money(900, "USD"))
    ((_, (screened,)),) = met_so_far(config, small, DISGUISE.asking(small))
    (declined,) = asks_of_decline(config, small, DISGUISE.asking(small, declines=1))
    assert (screened.add, declined.add) == (0, 1)
    assert (screened.subject, screened.counter) == (declined.subject, declined.counter)
    # What the rule is not about counts for nothing.
    assert asks_of_decline(config, large, DISGUISE.asking(large, declines=1)) == []
    counted = {value: Counted({screened.counter.id: value}) for value in (3, 4)}
    met = met_so_far(config, small, DISGUISE.asking(small))
    assert findings_of(config, met, counted[3]) == ()
    (found,) = findings_of(config, met, counted[4])
    assert found.reason == "amount lt 500; declines per card in 1h is 4"


def test_of_rules_that_count_no_declines_none_is_told_of_them() -> None:
    config = rules(
        a_rule(velocity("card.count", 3), id="counts"),
        a_rule(velocity("card.declines", 3), id="off", enabled=False),
    )
    assert config.counting_declines == ()


def test_a_simulation_counts_a_decline_once_it_was_heard_of() -> None:
    config = rules(a_rule(velocity("merchant.declines", 1), id="tried-out"))
    simulation = RulesSimulation(config)
    at = [int((AT_NINE + timedelta(minutes=minute)).timestamp() * 1000) for minute in range(6)]
    for minute, declined in enumerate([[(at[0] + 5, "process.1"), (at[2] + 5, "process.2")], [], [], [], []]):
        id_ = first_id_at("pay", AT_NINE + timedelta(minutes=minute))
        simulation.add(asked(payment_id=id_), None, declined)
    assert simulation.rules["rule tried-out"].payments == 2
    assert simulation.actions[Action.BLOCK].payments == 2
