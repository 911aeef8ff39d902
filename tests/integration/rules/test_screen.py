"""What operators change about rules, and what workers find by them: also where Redis is lost, slow or forgetful."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from sqlalchemy.exc import DBAPIError
from support.rule_inputs import DISGUISE, a_rule, amount, asked, rules, velocity

from aegis_worker.domain.screening import Action
from aegis_worker.errors import InvalidReason, RulesMoved
from aegis_worker.persistence import audit_log
from aegis_worker.persistence.database import Database
from aegis_worker.persistence.looked_up import LOOK_EVERY_S
from aegis_worker.persistence.rules_versions import VERSIONS
from aegis_worker.rules.book import RulesBook
from aegis_worker.rules.changes import RULES
from aegis_worker.rules.counters import SharedCounters
from aegis_worker.rules.fields import Asked
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.rules.screen import Screener
from aegis_worker.wiring.stores import short_waits

WHO: dict[str, Any] = {"actor": "cli:asha", "reason": "a wave of stolen cards"}
TWICE = rules(a_rule(velocity("card.count", 2), id="twice"))


class Clock:
    """A clock that a test moves."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with short_waits(redis_url, 0.3) as client:
        yield client


def screener(config: RulesConfig, redis: Redis, clock: Clock | None = None) -> Screener:
    return Screener(lambda: config, SharedCounters(redis), DISGUISE, clock=clock or Clock())


def actions(of: Screener, *payments: Asked) -> list[list[Action]]:
    return [[finding.action for finding in findings] for findings in of.screen(payments)]


def test_the_rules_of_the_file_hold_until_others_are_put_and_again_when_they_are_taken_back(
    database: Database, clock: Clock
) -> None:
    from_file = rules(a_rule(amount("gt", 5)))
    book = RulesBook(database, from_file, clock=clock)
    assert (book.current().config, book.current().version) == (from_file, 0)
    RULES.put(database, TWICE, **WHO)
    assert book.current().version == 0, "looked up a moment ago"
    clock.now_s += LOOK_EVERY_S
    assert (book.current().config, book.current().version) == (TWICE, 1)
    RULES.put(database, None, **WHO)
    clock.now_s += LOOK_EVERY_S
    assert (book.current().config, book.current().version) == (from_file, 2)


def test_a_change_is_versioned_and_stands_in_the_audit_log(database: Database) -> None:
    assert RULES.put(database, None, **WHO) is None
    RULES.put(database, TWICE, **WHO)
    again = RULES.put(database, TWICE, **WHO)
    assert again is not None
    assert again.version == 1
    with pytest.raises(RulesMoved):
        RULES.put(database, RulesConfig(), expected_version=0, **WHO)
    with pytest.raises(InvalidReason):
        RULES.put(database, RulesConfig(), actor="cli:asha", reason="")
    with database.read() as connection:
        entries = list(audit_log.list_entries(connection, limit=10))
    assert [(one.action, one.details["version"], one.details["reason"]) for one in entries] == [
        ("rules.changed", 1, WHO["reason"])
    ]
    with pytest.raises(DBAPIError, match="append-only"):
        database.run(lambda tx: tx.exec_driver_sql("DELETE FROM rules_versions"))


def test_a_version_that_this_process_does_not_understand_leaves_the_older_one_in_force(
    database: Database, clock: Clock
) -> None:
    RULES.put(database, TWICE, **WHO)
    database.run(lambda tx: VERSIONS.add(tx, 2, {"rules": [{"id": "of-another-release"}]}, **WHO))
    table = RulesBook(database, RulesConfig(), clock=clock).current()
    assert (table.config, table.version) == (TWICE, 1)
    assert str(table.unusable).startswith("version 2 can't be used here: /rules/0")


def test_nothing_applies_where_no_rule_is_on(redis: Redis) -> None:
    assert not screener(RulesConfig(), redis).applies()
    assert screener(TWICE, redis).applies()


def test_a_batch_is_counted_in_order_and_a_claim_that_comes_again_finds_the_same(redis: Redis) -> None:
    by_rules = screener(TWICE, redis)
    payments = [asked() for _ in range(4)]
    found = [[], [], [Action.BLOCK], [Action.BLOCK]]
    assert actions(by_rules, *payments) == found
    assert actions(by_rules, *reversed(payments)) == found[::-1]
    assert actions(by_rules, payments[1], asked()) == [[], [Action.BLOCK]]
    assert actions(by_rules, asked(payment_method={"type": "card", "token": "tok_other"})) == [[]]


def test_another_text_or_action_of_a_rule_goes_on_counting(redis: Redis) -> None:
    assert actions(screener(TWICE, redis), asked(), asked()) == [[], []]
    changed = rules(a_rule(velocity("card.count", 2), id="renamed", action="flag", description="softer"))
    assert actions(screener(changed, redis), asked()) == [[Action.FLAG]]


def test_after_flushall_counters_begin_anew(redis: Redis) -> None:
    by_rules = screener(TWICE, redis)
    assert actions(by_rules, asked(), asked(), asked()) == [[], [], [Action.BLOCK]]
    redis.flushall()
    assert actions(by_rules, asked()) == [[]]


@pytest.mark.parametrize(
    ("policy", "found"), [("open", Action.ALLOW), ("review", Action.REVIEW), ("closed", Action.BLOCK)]
)
@pytest.mark.parametrize("frozen", [False, True])
def test_where_redis_is_lost_or_frozen_the_stated_policy_holds_and_the_finding_says_so(
    policy: str, found: Action, frozen: bool
) -> None:
    config = rules(
        a_rule(velocity("card.count", 2), on_redis_loss=policy), a_rule(amount("gt", 5), id="plain")
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if frozen:
            listener.listen()
        with short_waits(f"redis://127.0.0.1:{listener.getsockname()[1]}", 0.05) as client:
            ((counting, plain),) = screener(config, client).screen([asked()])
    assert counting.action is found
    assert str(counting.failed).startswith("Redis gave no answer (")
    assert (plain.action, plain.failed) == (Action.BLOCK, None)


def test_redis_is_left_alone_for_a_second_after_it_failed_and_asked_again_then(
    redis: Redis, clock: Clock
) -> None:
    counters = SharedCounters(redis)
    by_rules = Screener(lambda: TWICE, counters, DISGUISE, clock=clock)
    redis.execute_command("CONFIG", "SET", "maxmemory", "1")
    try:
        assert actions(by_rules, asked()) == [[Action.REVIEW]]
    finally:
        redis.execute_command("CONFIG", "SET", "maxmemory", "0")
    assert actions(by_rules, asked()) == [[Action.REVIEW]]
    clock.now_s += 1
    assert actions(by_rules, asked()) == [[]]


def test_what_stands_in_redis_says_nothing_of_who_pays(redis: Redis) -> None:
    config = rules(
        a_rule(velocity("email.cards", 5), id="a"),
        a_rule(velocity("ip.count", 5), velocity("customer.sum", 5), velocity("merchant.count", 5), id="b"),
    )
    payer = {"email": "asha@shop.example", "ip": "203.0.113.7"}
    screener(config, redis).screen(
        [asked(payer, customer={"id": "cus_117"}, payment_method={"type": "card", "token": "tok_x"})]
    )
    kept = ""
    for key in redis.keys("aegis:rules:*"):
        kept += f"{key!r} {redis.hgetall(key)}"
        assert redis.pttl(key) > 0
    assert "aegis:rules:kept:" in kept
    for private in ("asha", "shop.example", "203.0.113", "cus_117", "tok_x", "m_1"):
        assert private not in kept
