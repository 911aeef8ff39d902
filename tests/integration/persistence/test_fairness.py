"""Merchants take turns in the claim: nobody's backlog holds up anybody else's payment for long."""

from __future__ import annotations

import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.payments import accept_one, end_leases, rows

from aegis_worker.persistence.claims import claim, due_by_queue

_BACKLOG = """
WITH new AS (
    SELECT %(merchant_id)s AS merchant_id, n, replace(uuidv7()::text, '-', '') AS id
    FROM generate_series(1, %(count)s) n
), payment AS (
    INSERT INTO payments (id, merchant_id, amount_minor, currency, payment_method, customer, metadata, state, version)
    SELECT 'pay_' || id, merchant_id, 1999, 'USD', '{"type": "card"}', '{}', '{}', 'INITIATED', 1 FROM new
)
INSERT INTO jobs (id, payment_id, merchant_id, operation, queue, status, run_at)
SELECT 'job_' || id, 'pay_' || id, merchant_id, 'process', 'payments', 'queued',
    now() + make_interval(secs => %(in_s)s) + n * interval '1 ms' FROM new
"""


def give_backlog(database, merchant_id, count, *, in_s=-3600.0):
    """`count` jobs of one merchant, the first of them due in `in_s` seconds."""
    parameters = {"merchant_id": merchant_id, "count": count, "in_s": in_s}
    database.run(lambda tx: tx.exec_driver_sql(_BACKLOG, parameters))


def claim_some(database, limit):
    return database.run(lambda tx: claim(tx, "payments", limit=limit, lease_s=90, worker="w"))


def shares(jobs):
    return Counter(job.payment.merchant_id for job in jobs)


def test_a_single_payment_does_not_wait_behind_another_merchants_backlog(database):
    give_backlog(database, "m_big", 5000)
    claim_some(database, 32)
    single = accept_one(database, merchant_id="m_small").payment.id
    jobs = claim_some(database, 32)
    assert single in {job.payment.id for job in jobs}
    assert shares(jobs) == {"m_big": 31, "m_small": 1}


def test_backlogs_get_equal_shares_and_what_is_left_over_goes_to_the_oldest(database):
    give_backlog(database, "m_a", 100, in_s=-3600)
    give_backlog(database, "m_b", 100, in_s=-1800)
    assert shares(claim_some(database, 10)) == {"m_a": 5, "m_b": 5}
    give_backlog(database, "m_c", 100, in_s=-60)
    assert shares(claim_some(database, 11)) == {"m_a": 5, "m_b": 3, "m_c": 3}


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 7, 32])
def test_with_many_backlogs_every_merchant_is_served_within_the_bound(database, limit):
    merchants = [f"m_{number:03}" for number in range(60)]
    for merchant_id in merchants:
        give_backlog(database, merchant_id, 10)
    claim_some(database, limit)
    single = accept_one(database, merchant_id="m_017-single").payment.id
    bound = math.ceil((len(merchants) + 1) / limit)
    claimed = [job for _ in range(bound) for job in claim_some(database, limit)]
    assert single in {job.payment.id for job in claimed}
    assert set(shares(claimed)) == {*merchants, "m_017-single"}


def test_a_claim_is_full_while_enough_is_due_and_everything_is_claimed_once(database):
    for number in range(13):
        give_backlog(database, f"m_{number:02}", number)
    sizes, ids = [], []
    while jobs := claim_some(database, 9):
        sizes.append(len(jobs))
        ids += [job.id for job in jobs]
    assert sizes == [9] * 8 + [6]
    assert len(set(ids)) == len(ids) == sum(range(13))


def test_concurrent_claimers_share_out_many_merchants_backlogs(database):
    for number in range(20):
        give_backlog(database, f"m_{number:02}", 20)

    def work(_):
        jobs = []
        while some := claim_some(database, 16):
            jobs += some
        return jobs

    with ThreadPoolExecutor(6) as pool:
        ids = [job.id for jobs in pool.map(work, range(6)) for job in jobs]
    assert len(ids) == len(set(ids)) == 400


def test_a_merchant_with_nothing_due_takes_no_turn(database):
    for number in range(40):
        give_backlog(database, f"m_{number:02}", 3, in_s=600)
    give_backlog(database, "m_39", 4)
    assert shares(claim_some(database, 2)) == {"m_39": 2}
    assert shares(claim_some(database, 32)) == {"m_39": 2}
    assert claim_some(database, 32) == []


def test_of_one_merchant_a_job_whose_holder_died_comes_first(database):
    give_backlog(database, "m_a", 10)
    (abandoned,) = claim_some(database, 1)
    end_leases(database)
    (again,) = claim_some(database, 1)
    assert (again.id, again.lease_epoch) == (abandoned.id, 2)


def test_the_sweep_counts_up_to_a_bound_what_a_claim_would_find(database):
    give_backlog(database, "m_a", 30)
    give_backlog(database, "m_b", 5, in_s=600)
    with database.read() as connection:
        assert due_by_queue(connection, limit=20) == {"payments": 20}
        assert due_by_queue(connection, limit=100) == {"payments": 30}
    claim_some(database, 30)
    with database.read() as connection:
        assert due_by_queue(connection, limit=100) == {}
    end_leases(database)
    with database.read() as connection:
        assert due_by_queue(connection, limit=100) == {"payments": 30}
    assert rows(database, "SELECT DISTINCT status FROM jobs WHERE merchant_id = 'm_b'") == [
        {"status": "queued"}
    ]


def test_a_job_that_is_seen_late_is_found_when_a_claim_begins_at_the_start(database):
    give_backlog(database, "m_a", 10, in_s=-5)
    with database.engine.connect() as connection:
        assert shares(claim(connection, "payments", limit=2, lease_s=90, worker="w")) == {"m_a": 2}
        connection.commit()
        give_backlog(database, "m_late", 1, in_s=-60)
        place = connection.info["claimed_of_payments"]
        place.from_start_at_s = math.inf
        assert shares(claim(connection, "payments", limit=2, lease_s=90, worker="w")) == {"m_a": 2}
        connection.commit()
        place.from_start_at_s = 0.0
        found = claim(connection, "payments", limit=2, lease_s=90, worker="w")
        connection.commit()
    assert shares(found) == {"m_a": 1, "m_late": 1}
