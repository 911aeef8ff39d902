"""Who stood in the way of a rehearsal: what is told of hooks and rules, and which of them broke."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aegis_worker.hooks.statistics import HookStatistics
from aegis_worker.lab.crash.blame import Blame, NotTaken, Seen, blamed
from aegis_worker.lab.crash.report import blame_as_json

HOOK, RULE = "hook shop:fraud_check", "rule high-value"


def blames(*seen: Seen, screened: int = 40, **more: Any) -> list[Blame]:
    given: dict[str, Any] = {
        "statistics": {},
        "not_taken": [],
        "refused": [],
        "posted": screened,
        "validating": [],
    }
    return blamed(seen, screened, **(given | more))


def counted(**counts: int) -> dict[str, HookStatistics]:
    return {"shop:fraud_check": HookStatistics(counts)}


@pytest.mark.parametrize(
    "found",
    [
        blames(Seen(HOOK, "block", "raised KeyError", 40, "pay_1")),
        blames(Seen(HOOK, "block", "timed out after 500 ms", 40, "pay_1")),
        blames(Seen(HOOK, "block", None, 40, "pay_1")),
        blames(Seen(HOOK, "review", None, 25, "pay_1"), Seen(HOOK, "allow", None, 15, "pay_2")),
        # Where a failure lets payments through, it is one all the same.
        blames(Seen(HOOK, "allow", "raised KeyError", 1, "pay_1"), Seen(HOOK, "allow", None, 39, "pay_2")),
        blames(statistics=counted(timed_out=5, answered=35)),
        blames(statistics=counted(crashed=3, refused=37)),
        blames(not_taken=[NotTaken("shop:fraud_check", 9, "raised OSError")]),
        blames(refused=["422 /amount: Not this one."] * 40, validating=["shop:fraud_check"]),
        blames(refused=["503 hook_failed"] * 40, validating=["shop:fraud_check"]),
    ],
)
def test_a_hook_that_fails_or_stops_most_payments_is_what_broke(found: list[Blame]) -> None:
    (blame,) = found
    assert (blame.source, blame.broke) == (HOOK, True)
    told = json.loads(json.dumps(blame_as_json(found)))
    assert told["broke"] == [HOOK]
    assert told["hooks_and_rules"][0]["what"]


def test_a_rule_that_stops_every_payment_is_what_broke_and_one_that_stops_a_few_is_told() -> None:
    all_of_them = blames(Seen(RULE, "block", None, 40, "pay_1"))
    a_few = blames(Seen(RULE, "block", None, 4, "pay_1"))
    assert [(one.source, one.broke, one.stops) for one in all_of_them] == [(RULE, True, True)]
    assert [(one.source, one.broke, one.stops) for one in a_few] == [(RULE, False, False)]
    assert all_of_them[0].in_words() == "stopped 40 of 40 payments"


@pytest.mark.parametrize(
    "found",
    [
        blames(
            Seen(HOOK, "block", "timed out after 500 ms", 2, "pay_1"), Seen(HOOK, "allow", None, 38, "pay_2")
        ),
        blames(statistics=counted(crashed=4, answered=400)),
        # What a rule does without Redis is how it is set.
        blames(Seen(RULE, "allow", "Redis gave no answer (TimeoutError); on_redis_loss = open", 40, "pay_1")),
    ],
)
def test_what_a_killed_process_or_a_lost_store_brings_about_is_told_and_breaks_nothing(
    found: list[Blame],
) -> None:
    assert [one.broke for one in found] == [False]


def test_nothing_is_told_of_hooks_and_rules_that_do_as_they_should() -> None:
    allows = blames(Seen(HOOK, "allow", None, 40, "pay_1"), Seen(RULE, "flag", None, 40, "pay_1"))
    assert allows == []
    assert blames(statistics=counted(answered=40, unasked=3)) == []


def test_who_broke_is_named_first_and_with_the_larger_count_of_the_two_that_are_known() -> None:
    first, second = blames(
        Seen(RULE, "block", None, 4, "pay_1"),
        Seen(HOOK, "block", "raised KeyError", 6, "pay_2"),
        statistics=counted(failed=11, answered=29),
    )
    assert (first.source, first.failed, first.asked, first.stopped) == (HOOK, 11, 40, 6)
    assert second.source == RULE


def test_of_several_hooks_that_validate_any_may_have_refused() -> None:
    (blame,) = blames(refused=["422 /amount: no"] * 3, validating=["shop:a", "shop:b"])
    assert blame.source == "hooks that validate: shop:a, shop:b"
    assert blame.in_words() == "stopped 3 of 40 payments"
