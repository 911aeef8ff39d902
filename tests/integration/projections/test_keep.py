"""Read models on a real database: whatever happens to payments, and however often it is told, they equal a full recount."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Thread

import pytest
from sqlalchemy import Connection
from support.erasing import erase
from support.payments import accept_one, pipeline, rows, run_until_quiet
from support.scripted_gateway import ScriptedGateway, answering

from aegis_worker.delivery.changes import ChangesFanOut
from aegis_worker.delivery.drain import drain
from aegis_worker.domain.modes import Owner
from aegis_worker.domain.money import Money
from aegis_worker.domain.outcomes import Approved, Declined
from aegis_worker.persistence import projections
from aegis_worker.persistence.database import Database
from aegis_worker.projections.keep import keep, rebuild
from aegis_worker.queries.analytics import INTERVALS, Asked, Summary, customer_sums, summaries

SHOP = Owner("m_1", "test")
APPROVED, REFUSED = Approved("ref_1", captured=True), Declined("stolen_card", "43", "stolen")


def told(database: Database) -> None:
    """Have the outbox tell the read models alone."""
    drain(database, [ChangesFanOut()], limit=50, lease_s=30)


def differing(database: Database) -> int:
    with database.read() as connection:
        return projections.differences(connection)


def summed(database: Database, *groups: str, **only: str) -> Sequence[Summary]:
    now = datetime.now(UTC)
    asked = Asked(SHOP, now - timedelta(days=1), now + timedelta(hours=1), "all", groups, only)
    with database.read() as connection:
        return summaries(connection, asked)


def lives(database: Database, *, seed: int) -> None:
    """Payments that end in many ways, told and taken in at any time."""
    rng = random.Random(seed)
    for number in range(12):
        accept_one(
            database,
            f"{seed}-{number}",
            amount=Money(rng.choice((500, 1999)), rng.choice(("USD", "EUR"))),
            metadata={"cart": f"c-{number}"} if rng.random() < 0.5 else {},
            payment_method={"type": "card", "token": "tok_ok", "last4": f"{rng.randrange(10_000):04}"},
        )
        charged = rng.random() < 0.6
        steps: list[Callable[[], object]] = [
            partial(worked, database, APPROVED if charged else REFUSED),
            partial(told, database),
            partial(keep, database),
        ]
        for step in rng.sample(steps, k=3):
            step()


def worked(database: Database, answer: Approved | Declined) -> None:
    run_until_quiet(pipeline(database, ScriptedGateway("a", answering(answer))))


@pytest.mark.parametrize("seed", range(3))
def test_summaries_equal_a_full_recount_whenever_changes_are_taken_in(database: Database, seed: int) -> None:
    lives(database, seed=seed)
    told(database)
    keep(database)
    assert differing(database) == 0
    assert sum(row.payments for row in summed(database)) == 12


def test_what_is_taken_in_twice_counts_once(database: Database) -> None:
    payment_id = accept_one(database).payment.id
    for _ in range(3):
        database.run(partial(projections.note, payment_ids=[payment_id, payment_id]))
        keep(database)
    (row,) = summed(database)
    assert (row.payments, row.open, row.amount_minor) == (1, 1, 1999)
    assert differing(database) == 0


def test_facts_that_say_the_same_are_not_written_again(database: Database) -> None:
    same, other = (accept_one(database, key).payment.id for key in ("same", "other"))
    told(database)
    keep(database)
    versions = "SELECT payment_id, xmin::text AS version FROM payment_facts ORDER BY payment_id"
    before = {row["payment_id"]: row["version"] for row in rows(database, versions)}
    described = 'UPDATE payments SET metadata = \'{"cart": "c-1"}\' WHERE id = %(id)s'
    database.run(lambda connection: connection.exec_driver_sql(described, {"id": other}))
    database.run(partial(projections.note, payment_ids=[same, other]))
    assert keep(database) == 2
    after = {row["payment_id"]: row["version"] for row in rows(database, versions)}
    assert [key for key in before if before[key] != after[key]] == [other]


def test_what_older_code_has_noted_is_taken_in_too(database: Database) -> None:
    ids = [accept_one(database, f"k{number}").payment.id for number in range(3)]
    as_older_code = "INSERT INTO projection_changes (payment_id) SELECT unnest(%(ids)s::text[])"
    database.run(lambda connection: connection.exec_driver_sql(as_older_code, {"ids": ids[:2]}))
    database.run(partial(projections.note, payment_ids=ids[1:]))
    with database.read() as connection:
        assert projections.lag(connection).pending == 4
    assert keep(database) == 4
    assert differing(database) == 0
    assert rows(database, "SELECT FROM projection_changes UNION ALL SELECT FROM projection_notes") == []


def test_notes_are_taken_in_whole_until_the_limit_is_reached(database: Database) -> None:
    ids = [accept_one(database, f"k{number}").payment.id for number in range(6)]
    for some in (ids[:2], ids[2:5], ids[5:]):
        database.run(partial(projections.note, payment_ids=some))
    takes = [database.run(partial(projections.take_in, limit=3)) for _ in range(3)]
    assert takes == [5, 1, 0]
    assert differing(database) == 0


def test_a_recount_notices_what_is_wrong_and_a_rebuild_mends_it(database: Database) -> None:
    lives(database, seed=7)
    told(database)
    keep(database)
    wrong = "UPDATE payment_summaries SET amount_minor = amount_minor + 1"
    database.run(lambda connection: connection.exec_driver_sql(wrong))
    assert differing(database) > 0
    assert rebuild(database, goes_on=False) == 12
    assert differing(database) == 0
    with database.read() as connection:
        behind = projections.lag(connection)
    assert (behind.pending, behind.rebuilding_to) == (0, None)
    assert behind.rebuilt_at is not None


def test_a_rebuild_that_was_stopped_says_so_and_goes_on(database: Database) -> None:
    ids = sorted(accept_one(database, f"k{number}").payment.id for number in range(5))
    told(database)
    database.run(projections.begin_rebuild)
    database.run(partial(projections.rebuild_some, after="", limit=2))
    with database.read() as connection:
        assert projections.lag(connection).rebuilding_to == ids[1]
    keep(database)  # a worker goes on meanwhile
    assert rebuild(database, goes_on=True) == 3
    assert differing(database) == 0


def test_two_that_take_in_at_once_wait_for_nobody_and_lose_nothing(database: Database) -> None:
    for number in range(30):
        accept_one(database, f"k{number}")
    told(database)
    others = [Thread(target=keep, args=(database,)) for _ in range(4)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    keep(database)
    assert differing(database) == 0
    (row,) = summed(database)
    assert row.payments == 30


def test_sums_never_cross_currencies_and_rates_are_of_what_was_tried(database: Database) -> None:
    accept_one(database, "one")
    worked(database, APPROVED)
    accept_one(database, "two")
    worked(database, REFUSED)
    accept_one(database, "three", amount=Money(700, "EUR"))
    told(database)
    keep(database)
    euro, dollar = summed(database)
    assert (euro.currency, euro.open, euro.success_rate) == ("EUR", 1, None)
    assert (dollar.charged, dollar.failed, dollar.captured_minor, dollar.success_rate) == (1, 1, 1999, 0.5)
    by_gateway = {row.group["gateway"]: row.payments for row in summed(database, "gateway")}
    assert by_gateway == {"": 1, "a": 2}
    assert [row.payments for row in summed(database, state="FAILURE")] == [1]


def test_a_customer_has_sums_and_an_erased_one_is_found_no_more(database: Database) -> None:
    method = {"type": "card", "token": "tok_ok", "last4": "4242"}
    for key in ("one", "two"):
        accept_one(database, key, customer={"id": "cus_117"}, payment_method=method, metadata={"cart": "c"})
    told(database)
    keep(database)
    with database.read() as connection:
        (each,) = customer_sums(connection, SHOP, "cus_117")
        assert customer_sums(connection, Owner("m_2", "test"), "cus_117") == []
    assert (each.payments, each.charged, each.captured_minor) == (2, 0, 0)
    assert erase(database).counts["facts"] == 2
    assert rows(database, "SELECT DISTINCT last4, metadata FROM payment_facts") == [
        {"last4": None, "metadata": None}
    ]
    assert rebuild(database, goes_on=False) == 2
    assert rows(database, "SELECT DISTINCT last4, metadata FROM payment_facts") == [
        {"last4": None, "metadata": None}
    ]


def spread(database: Database, *, seed: int) -> None:
    """Payments of two merchants over ten days and more, taken in as they are; a few have changed since."""
    lives(database, seed=seed)
    rng = random.Random(seed)
    told(database)
    keep(database)
    for row in rows(database, "SELECT id FROM payments ORDER BY id"):
        moved(database, row["id"], ago_min=rng.randrange(15_000), merchant=rng.choice(("m_1", "m_2")))
        database.run(partial(projections.note, payment_ids=[row["id"]]))
    keep(database)


def moved(database: Database, payment_id: str, *, ago_min: int, merchant: str) -> None:
    values = {"id": payment_id, "ago": ago_min, "merchant": merchant}
    database.run(lambda connection: connection.exec_driver_sql(MOVED, values))


# Tests alone move a payment in time: the product never does.
MOVED = """
ALTER TABLE payments DISABLE TRIGGER USER;
UPDATE payments SET created_at = created_at - make_interval(mins => %(ago)s), merchant_id = %(merchant)s WHERE id = %(id)s;
ALTER TABLE payments ENABLE TRIGGER USER
"""
BY_HAND = """
SELECT CASE %(interval)s WHEN 'hour' THEN hour WHEN 'day' THEN date_trunc('day', hour, 'UTC') END AS at, {groups}
    currency, count(*) AS payments, sum(amount_minor)::bigint AS amount_minor
FROM payment_facts WHERE hour >= %(since)s AND hour < %(until)s AND merchant_id LIKE %(whose)s
GROUP BY 1, {groups} currency ORDER BY 1, {groups} currency
"""


@pytest.mark.parametrize("seed", range(2))
def test_any_period_of_one_or_of_all_is_what_its_payments_are_by_hand(database: Database, seed: int) -> None:
    spread(database, seed=seed)
    assert differing(database) == 0
    rng, now = random.Random(seed), datetime.now(UTC)
    for _ in range(60):
        since = now - timedelta(minutes=rng.randrange(1, 16_000))
        until = rng.choice((None, since + timedelta(minutes=rng.randrange(1, 16_000))))
        groups = rng.choice(((), ("gateway",), ("merchant_id",), ("merchant_id", "state")))
        owner = None if "merchant_id" in groups else rng.choice((None, SHOP))
        asked = Asked(owner, since, until, rng.choice(INTERVALS), groups, {})
        by_hand = rows(
            database,
            BY_HAND.format(groups="".join(f"{name}, " for name in groups)),
            interval=asked.interval,
            since=since,
            until=until or now + timedelta(hours=1),
            whose="m_1" if owner else "%",
        )
        with database.read() as connection:
            found = summaries(connection, asked)
        assert [
            {"at": each.at, **each.group, "currency": each.currency}
            | {"payments": each.payments, "amount_minor": each.amount_minor}
            for each in found
        ] == by_hand, asked


def test_payments_that_are_taken_in_while_a_rebuild_goes_on_are_counted_once(database: Database) -> None:
    for number in range(6):
        accept_one(database, f"k{number}")
    database.run(projections.begin_rebuild)
    _, at = database.run(partial(projections.rebuild_some, after="", limit=3))
    worked(database, APPROVED)  # those before and those after it
    accept_one(database, "meanwhile")
    told(database)
    keep(database)
    assert at
    assert rebuild(database, goes_on=True) == 4
    assert differing(database) == 0
    assert sum(row.payments for row in summed(database)) == 7


def test_totals_that_differ_are_noticed_and_mended(database: Database) -> None:
    lives(database, seed=3)
    told(database)
    keep(database)
    wrong = "UPDATE payment_totals SET payments = payments + 1 WHERE kind = 'day'"
    database.run(lambda connection: connection.exec_driver_sql(wrong))
    assert differing(database) > 0
    rebuild(database, goes_on=False)
    assert differing(database) == 0


def test_statements_of_readers_use_indexes(database: Database) -> None:
    def plan(connection: Connection) -> str:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explained = connection.exec_driver_sql(
            "EXPLAIN SELECT sum(payments) FROM payment_summaries"
            " WHERE merchant_id = 'm_1' AND mode = 'test' AND hour >= now()"
        )
        return "\n".join(row[0] for row in explained)

    assert "payment_summaries_pkey" in database.run(plan)
