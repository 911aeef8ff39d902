"""Scenarios: what they claim is the seed's and the calls' alone, and what is wrong in one is said with its place."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_worker.emulator.scenarios.reading import WrongScenario, read
from aegis_worker.emulator.scenarios.rules import Scenario
from aegis_worker.emulator.scenarios.running import Running
from aegis_worker.emulator.scenarios.shipping import shipped
from aegis_worker.emulator.wire_formats import REACHES


def claimed(scenario: Scenario, calls: int = 20, gateway: str = "stripe", **call: Any) -> list[list[str]]:
    """The scripts of so many charges, one after the other."""
    running = Running(scenario, gateway)
    given: dict[str, Any] = {
        "operation": "charge",
        "token": "pm_card_visa",
        "amount": 1999,
        "headers": {},
        **call,
    }
    return [list(running.claimed_by(**given)) for _ in range(calls)]


def rule(text: str) -> Scenario:
    return read(f'[[rule]]\nscript = "drop"\n{text}', REACHES)


def test_a_rule_claims_calls_by_their_number_among_those_that_fit() -> None:
    assert claimed(rule("number = [2, 4]"), 5) == [[], ["drop"], [], ["drop"], []]
    assert claimed(rule("number = 1"), 2) == [["drop"], []]


def test_a_rule_claims_every_so_maniest_and_at_most_so_many() -> None:
    assert claimed(rule("every = 2\ntimes = 2"), 7) == [[], ["drop"], [], ["drop"], [], [], []]


@pytest.mark.parametrize(
    ("condition", "fits", "does_not"),
    [
        ('token = "pm_card_*"', {}, {"token": "pm_other"}),
        ("amount = 1999", {}, {"amount": 2000}),
        ("amount = { from = 1000, to = 1999 }", {}, {"amount": 2000}),
        ("amount = { from = 2000 }", {"amount": 2000}, {}),
        ('header = { X-Order = "7*" }', {"headers": {"x-order": "71"}}, {}),
        ('on = "refund"', {"operation": "refund"}, {}),
        ('on = ["capture", "refund"]', {"operation": "capture"}, {}),
    ],
)
def test_a_rule_claims_calls_that_are_as_it_says(
    condition: str, fits: dict[str, Any], does_not: dict[str, Any]
) -> None:
    assert claimed(rule(condition), 1, **fits) == [["drop"]]
    assert claimed(rule(condition), 1, **does_not) == [[]]


def test_a_rule_may_be_of_one_gateway() -> None:
    assert claimed(rule('gateway = "adyen"'), 1) == [[]]
    assert claimed(rule('gateway = "adyen"'), 1, gateway="adyen") == [["drop"]]


def test_the_same_seed_gives_the_same_faults_and_another_one_others() -> None:
    text = '[[rule]]\nscript = "drop"\nshare = 0.5'
    first, second = read(text, REACHES, seed=1), read(text, REACHES, seed=2)
    assert claimed(first, 100) == claimed(first, 100) != claimed(second, 100)
    assert 30 < sum(map(len, claimed(first, 100))) < 70


def test_rules_count_for_themselves_and_are_asked_in_their_order() -> None:
    text = '[[rule]]\nscript = "drop"\nnumber = 1\n[[rule]]\nscript = "webhook_lost"\n'
    assert claimed(read(text, REACHES), 2) == [["drop", "webhook_lost"], ["webhook_lost"]]


def test_what_the_rules_have_seen_and_claimed_is_told() -> None:
    running = Running(rule("number = 2"), "stripe")
    for _ in range(3):
        running.claimed_by("charge", "", 1, {})
    assert running.as_dict()["rules"] == [{"script": "drop", "seen": 3, "claimed": 1}]


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("", "line 1: rule: at least one table [[rule]] is needed"),
        ("[[rule]]\nscript = \n", "line 2: Invalid value"),
        ('[[rule]]\nscirpt = "drop"', "line 2, rule 1: scirpt is no key here; allowed are amount, every"),
        ("[[rule]]\nshare = 1", "line 1, rule 1: script: is missing"),
        ('[[rule]]\nscript = "dorp"', "line 2, rule 1: script: no script named 'dorp'"),
        ('[[rule]]\nscript = "pending_121"', "line 2, rule 1: script: tok_pending_N takes 0 to 120 seconds"),
        ('[[rule]]\nscript = "drop"\non = "chrage"', "line 3, rule 1: on: one or a list of create, authen"),
        ('[[rule]]\nscript = "3ds"\non = "refund"', "line 3, rule 1: on: '3ds' can't act on 'refund'"),
        (
            '[[rule]]\nscript = "fails_late"\non = "capture"\ngateway = "stripe"',
            "line 4, rule 1: gateway: 'fails_late' can't act on 'capture' at stripe, but at sandbox",
        ),
        ('[[rule]]\nscript = "drop"\nshare = 2', "line 3, rule 1: share: a number from 0 to 1, not 2"),
        ('[[rule]]\nscript = "drop"\nnumber = []', "line 3, rule 1: number: one or a list of 1 to"),
        ('[[rule]]\nscript = "drop"\nevery = 0', "line 3, rule 1: every: a whole number from 1 to"),
        ('[[rule]]\nscript = "drop"\namount = { above = 3 }', "line 3, rule 1: amount: minor units, or {"),
        ('[[rule]]\nscript = "drop"\nheader = "x"', "line 3, rule 1: header: a table of texts"),
        ('seed = "x"\n[[rule]]\nscript = "drop"', "line 1: seed: a whole number from 0 to"),
        ('sed = 1\n[[rule]]\nscript = "drop"', "line 1: sed is no key here; allowed are about, name, rule"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_its_key_and_what_is_allowed(toml: str, problem: str) -> None:
    with pytest.raises(WrongScenario) as caught:
        read(toml, REACHES)
    assert caught.value.problems[0].startswith(problem)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(WrongScenario) as caught:
        read('[[rule]]\nscript = "dorp"\n[[rule]]\nscript = "drop"\nshare = 9', REACHES)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "line 2, rule 1",
        "line 5, rule 2",
    ]


def test_the_scenarios_that_come_with_it_have_a_name_and_say_what_happens() -> None:
    known = shipped(REACHES)
    assert len(known) >= 4
    assert all(scenario.about for scenario in known.values())
    assert all(name == scenario.name for name, scenario in known.items())
