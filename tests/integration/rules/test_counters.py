"""The counters in Redis: as plain Python counts, once per payment, from any number of processes, and bounded."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from support.rule_inputs import ask, counter

from aegis_worker.ids import new_id
from aegis_worker.rules.counters import PREFIX, Counting, SharedCounters, shelf_of
from aegis_worker.rules.counting import FULL, SHELF_FULL, PlainCounters
from aegis_worker.rules.velocity import LARGEST, STEPS, Ask, Counter

# Windows of moments, so that they pass while a test runs; the longest is not over before a test is.
COUNTERS = [
    counter("count", window_ms=40, id_="a1"),
    counter("count", window_ms=600_000, id_="a2"),
    counter("count", window_ms=40, most=2, id_="a3"),
    counter("sum", window_ms=600_000, id_="a4"),
    counter("sum", window_ms=60, most=1000, id_="a5"),
    counter("cards", window_ms=600_000, cards=3, id_="a6"),
    counter("cards", window_ms=40, most=1, cards=2, id_="a7"),
    counter("declines", window_ms=600_000, id_="a8"),
    counter("declines", window_ms=40, id_="a9"),
]
ENTRIES = 3


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def asks() -> st.SearchStrategy[list[Ask]]:
    one = st.builds(
        ask,
        st.sampled_from(COUNTERS),
        st.sampled_from([f"s{n}" for n in range(4)]),
        st.sampled_from([0, 1, 300, LARGEST]),
        st.sampled_from(["c1", "c2", "c3", "c4"]),
    )
    return st.lists(one, min_size=1, max_size=6, unique_by=lambda a: a.counter.id)


# Batches of payments, by number, so that some come again; and how many ms pass after each.
BATCHES = st.lists(
    st.tuples(st.lists(st.tuples(st.integers(0, 9), asks()), max_size=5), st.sampled_from([0, 0, 3, 50])),
    max_size=8,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BATCHES)
def test_they_count_as_plain_python_does(
    redis: Redis, batches: list[tuple[list[tuple[int, list[Ask]]], int]]
) -> None:
    redis.flushall()
    shared, plain = SharedCounters(redis, most_kept=8), PlainCounters(ENTRIES, most_kept=8)
    ids = [f"pay_{n:012x}7{'0' * 19}" for n in range(10)]
    for batch, passes_ms in batches:
        payments = [Counting(ids[number], of) for number, of in batch]
        for payment, (now_ms, values) in zip(payments, shared.counted_at(payments, ENTRIES), strict=True):
            expected = plain.count(payment.payment_id, shelf_of(payment.payment_id), payment.asks, now_ms)
            assert values == expected
        time.sleep(passes_ms / 1000)
    for key in redis.keys(f"{PREFIX}*"):
        assert redis.pttl(key) > 0


def test_a_payment_counts_once_however_often_it_comes(redis: Redis) -> None:
    counters, one, other = SharedCounters(redis), new_id("pay"), new_id("pay")
    assert counters.count([Counting(one, [ask(counter())])], 1000) == [[1]]
    assert counters.count([Counting(other, [ask(counter())])], 1000) == [[2]]
    for _ in range(5):
        assert counters.count([Counting(one, [ask(counter())])] * 3, 1000) == [[1]] * 3
    # A counter that is asked about it for the first time counts it, and the first one does not again.
    assert counters.count([Counting(one, [ask(counter()), ask(counter(id_="c2"))])], 1000) == [[1, 1]]
    assert counters.count([Counting(new_id("pay"), [ask(counter())])], 1000) == [[3]]


def test_whoever_comes_later_than_the_window_is_not_counted_with_the_others(redis: Redis) -> None:
    counters, short = SharedCounters(redis), counter(window_ms=20)
    assert [counters.count([Counting(new_id("pay"), [ask(short)])], 1000)[0][0] >= 1 for _ in range(3)]
    time.sleep(20 * (STEPS + 1) / STEPS / 1000 + 0.01)
    assert counters.count([Counting(new_id("pay"), [ask(short)])], 1000) == [[1]]


def test_counters_begin_anew_where_redis_forgot_everything_even_its_scripts(redis: Redis) -> None:
    counters = SharedCounters(redis)
    counters.count([Counting(new_id("pay"), [ask(counter())]) for _ in range(3)], 1000)
    redis.flushall()
    redis.script_flush()
    assert counters.count([Counting(new_id("pay"), [ask(counter())])], 1000) == [[1]]


def test_a_counter_takes_no_more_names_than_it_may_and_goes_on_counting_those_it_has(redis: Redis) -> None:
    counters = SharedCounters(redis)

    def count(subject: str) -> int:
        return counters.count([Counting(new_id("pay"), [ask(counter(), subject)])], 5)[0][0]

    assert [count(f"s{n}") for n in range(7)] == [1, 1, 1, 1, 1, FULL, FULL]
    assert count("s0") == 2
    assert sum(redis.hlen(key) for key in redis.keys(f"{PREFIX}c1:*")) == 5


def test_no_more_payments_are_kept_than_may_be_and_those_that_are_have_their_answers(redis: Redis) -> None:
    counters = SharedCounters(redis, most_kept=3)
    ids = [f"pay_{5:012x}7{n:019x}" for n in range(5)]
    answers = [counters.count([Counting(id_, [ask(counter())])], 1000)[0][0] for id_ in ids]
    assert answers == [1, 2, 3, SHELF_FULL, SHELF_FULL]
    assert counters.count([Counting(ids[0], [ask(counter())])], 1000) == [[1]]


def test_a_large_batch_goes_in_one_round_trip_and_every_payment_gets_its_own_answers(redis: Redis) -> None:
    of = [counter(id_=f"b{n}") for n in range(7)]
    payments = [Counting(new_id("pay"), [ask(one) for one in of[: 1 + n % 7]]) for n in range(400)]
    before = redis.info("stats")["total_reads_processed"]
    answers = SharedCounters(redis).count(payments, 1000)
    assert redis.info("stats")["total_reads_processed"] - before < 40
    assert [len(values) for values in answers] == [1 + n % 7 for n in range(400)]
    assert answers[-1][0] == 400


def count_one_after_the_other(of: tuple[str, Counter]) -> list[tuple[int, int]]:
    """25 payments, each counted twice."""
    url, shared = of
    with Redis.from_url(url) as client:
        counters = SharedCounters(client)
        payments = [[Counting(new_id("pay"), [ask(shared)])] for _ in range(25)]
        return [
            (counters.count(payment, 1000)[0][0], counters.count(payment, 1000)[0][0]) for payment in payments
        ]


@pytest.mark.parametrize("most", [pytest.param(None, marks=pytest.mark.slow), 20])
def test_eight_processes_at_once_are_answered_each_number_once(redis_url: str, most: int | None) -> None:
    """So of payments that are blocked above twenty, twenty are let through, whoever asks and however often."""
    with multiprocessing.get_context("fork").Pool(8) as processes:
        answers = processes.map(count_one_after_the_other, [(redis_url, counter(most=most))] * 8, chunksize=1)
    both = [pair for of_one in answers for pair in of_one]
    assert all(first == again for first, again in both)
    numbers = range(1, 201) if most is None else [*range(1, 21), *[21] * 180]
    assert sorted(first for first, _ in both) == list(numbers)


def decline_and_ask(of: tuple[str, Sequence[str], int]) -> list[int]:
    """Each of the payments' calls, declined and heard of twice, whoever else hears of it; and what a payment then hears."""
    url, payment_ids, turn = of
    declines, heard = counter("declines"), []
    with Redis.from_url(url) as client:
        counters = SharedCounters(client)
        for payment_id in [*payment_ids[turn * 5 :], *payment_ids[: turn * 5]]:
            calls = [Counting(payment_id, [ask(declines)], f"process.{number}") for number in (1, 2)]
            counters.count(calls, 1000)
            counters.count(calls, 1000)
            heard += counters.count([Counting(new_id("pay"), [ask(declines, add=0)])], 1000)[0]
    return heard


def test_eight_processes_count_each_declined_call_once_whoever_hears_of_it_and_however_often(
    redis: Redis, redis_url: str
) -> None:
    ids = [new_id("pay") for _ in range(40)]
    with multiprocessing.get_context("fork").Pool(8) as processes:
        heard = processes.map(decline_and_ask, [(redis_url, ids, turn) for turn in range(8)], chunksize=1)
    assert all(2 <= first <= last == 80 for first, *_, last in heard)
    asking = Counting(new_id("pay"), [ask(counter("declines"), add=0)])
    assert SharedCounters(redis).count([asking, asking], 1000) == [[80], [80]]


def test_asking_for_declines_takes_no_room_and_a_full_counter_knows_nothing_of_other_names(
    redis: Redis,
) -> None:
    counters, declines = SharedCounters(redis), counter("declines")

    def heard(subject: str, add: int, most_entries: int = 2) -> int:
        of = [Counting(new_id("pay"), [ask(declines, subject, add)])]
        return counters.count(of, most_entries)[0][0]

    assert [heard(f"s{n}", 0) for n in range(5)] == [0] * 5
    assert redis.keys(f"{PREFIX}c1:*") == []
    assert [heard(f"s{n}", 1) for n in range(3)] == [1, 1, FULL]
    assert [heard(f"s{n}", 0) for n in range(3)] == [1, 1, FULL]


def test_a_counter_of_sums_stops_where_numbers_stop_being_exact(redis: Redis) -> None:
    counters, sums = SharedCounters(redis), counter("sum")
    assert counters.count([Counting(new_id("pay"), [ask(sums, add=LARGEST)])], 1000) == [[LARGEST]]
    assert counters.count([Counting(new_id("pay"), [ask(sums, add=99_999_999_999)])], 1000) == [[LARGEST]]


def test_counters_of_the_same_payment_are_apart(redis: Redis) -> None:
    both: list[Counter] = [counter("cards", cards=5, id_="d1"), counter("count", id_="d2")]
    counters = SharedCounters(redis)
    for number, card in enumerate(["x", "y", "x"], 1):
        (values,) = counters.count([Counting(new_id("pay"), [ask(one, card=card) for one in both])], 1000)
        assert values == [min(number, 2), number]
