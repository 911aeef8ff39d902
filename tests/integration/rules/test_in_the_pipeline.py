"""Rules in a worker's run, with real counters: what is blocked, held back and let through, from any number of workers."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator

import pytest
from redis import Redis
from sqlalchemy import create_engine
from support.payments import accept_one, attempts_of, job_of, payment_of, pipeline
from support.rule_inputs import DISGUISE, a_rule, amount, rules, velocity
from support.scripted_gateway import ScriptedGateway

from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Declined, Outcome
from aegis_worker.domain.screening import screening_of
from aegis_worker.domain.transitions import State
from aegis_worker.gateways.requests import GatewayRequest
from aegis_worker.persistence.database import Database
from aegis_worker.pipeline.run import run
from aegis_worker.pipeline.stage import Stage
from aegis_worker.rules.config import checked_rules_document
from aegis_worker.rules.counters import SharedCounters
from aegis_worker.rules.fields import Asked
from aegis_worker.rules.rule import RulesConfig
from aegis_worker.rules.screen import Screener
from aegis_worker.wiring.stores import short_waits

THREE_PASS = a_rule(velocity("merchant.count", 3, refused_count=False), id="three-an-hour")


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with short_waits(redis_url, 0.3) as client:
        yield client


def work(database: Database, redis: Redis, config: RulesConfig, batch: int = 64) -> None:
    """One worker's run."""
    by_rules = Screener(lambda: config, SharedCounters(redis), DISGUISE)
    gateway = ScriptedGateway("a", lambda request: Approved(f"ch_{request.idempotency_key}"))
    run(pipeline(database, gateway, stage=Stage(rules=by_rules), batch=batch), "payments")


def test_amount_gt_1000000_blocks_1000001_and_not_1000000(database: Database, redis: Redis) -> None:
    config = rules(a_rule(amount("gt", 1_000_000), id="high"))
    below = accept_one(database, "below", amount=Money(1_000_000, "USD")).payment.id
    above = accept_one(database, "above", amount=Money(1_000_001, "USD")).payment.id
    work(database, redis, config)
    assert payment_of(database, below).state is State.SUCCESS
    blocked = payment_of(database, above)
    assert blocked.state is State.FAILURE
    assert blocked.last_error is not None
    assert blocked.last_error["code"] == "blocked"
    assert attempts_of(database, above) == []
    said = screening_of(blocked)
    assert said is not None
    assert [finding.source for finding in said.findings] == ["rule high"]


def test_a_payment_that_comes_again_before_its_screening_was_written_counts_once(
    database: Database, redis: Redis
) -> None:
    config = rules(a_rule(velocity("merchant.count", 1), id="one-an-hour"))
    first = accept_one(database, "first").payment
    by_rules = Screener(lambda: config, SharedCounters(redis), DISGUISE)
    for _ in range(3):  # three workers that died before they wrote
        by_rules.screen([Asked(first)])
    work(database, redis, config)
    second = accept_one(database, "second").payment.id
    work(database, redis, config)
    assert payment_of(database, first.id).state is State.SUCCESS
    assert payment_of(database, second).state is State.FAILURE


def a_worker(of: tuple[str, str]) -> None:
    """Another process, with connections of its own."""
    database_url, redis_url = of
    engine = create_engine(database_url)
    with short_waits(redis_url, 2) as client:
        work(Database(engine), client, rules(THREE_PASS), batch=2)
    engine.dispose()


def test_eight_workers_let_through_as_many_as_the_rule_says(
    database: Database, database_url: str, redis_url: str
) -> None:
    ids = [accept_one(database, f"key-{number}").payment.id for number in range(40)]
    with multiprocessing.get_context("fork").Pool(8) as processes:
        processes.map(a_worker, [(database_url, redis_url)] * 8, chunksize=1)
    ended = Counter(payment_of(database, payment_id).state for payment_id in ids)
    assert ended == {State.SUCCESS: 3, State.FAILURE: 37}


def test_where_redis_is_lost_nothing_is_sent_until_a_person_has_looked(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    with short_waits("redis://127.0.0.1:1", 0.05) as nowhere:
        work(database, nowhere, rules(THREE_PASS))
    assert attempts_of(database, payment_id) == []
    job = job_of(database, payment_id)
    assert (job["status"], job["review_kind"]) == ("review", "fraud")
    said = screening_of(payment_of(database, payment_id))
    assert said is not None
    assert str(said.findings[0].failed).startswith("Redis gave no answer")


def declining(request: GatewayRequest) -> Outcome:
    return Declined("issuer_unavailable", "91", "no answer from the bank")


def test_declines_are_counted_so_that_whoever_tries_cards_out_is_blocked(
    database: Database, redis: Redis
) -> None:
    """Of each payment both gateways decline: two declines each, and the third payment hears of four."""
    config = checked_rules_document({"card_testing": {"declines_per_ip": 3, "window": "1h"}})
    states = []
    for number in range(3):
        payment_id = accept_one(database, f"key-{number}", payer={"ip": "203.0.113.7"}).payment.id
        by_rules = Screener(lambda: config, SharedCounters(redis), DISGUISE)
        gateways = [ScriptedGateway(name, declining) for name in ("a", "b")]
        run(pipeline(database, *gateways, stage=Stage(rules=by_rules)), "payments")
        error = payment_of(database, payment_id).last_error
        assert error is not None
        states.append((error["code"], len(attempts_of(database, payment_id))))
    assert states == [("issuer_unavailable", 2), ("issuer_unavailable", 2), ("blocked", 0)]
    other = accept_one(database, "other", payer={"ip": "203.0.113.8"}).payment.id
    work(database, redis, config)
    assert payment_of(database, other).state is State.SUCCESS


def test_a_decline_is_written_where_redis_does_not_count_it(database: Database) -> None:
    config = rules(a_rule(velocity("merchant.declines", 3), id="tried-out", on_redis_loss="open"))
    payment_id = accept_one(database).payment.id
    with short_waits("redis://127.0.0.1:1", 0.05) as nowhere:
        by_rules = Screener(lambda: config, SharedCounters(nowhere), DISGUISE)
        run(pipeline(database, ScriptedGateway("a", declining), stage=Stage(rules=by_rules)), "payments")
    assert payment_of(database, payment_id).state is State.FAILURE
    assert [attempt["status"] for attempt in attempts_of(database, payment_id)] == ["DECLINED"]
