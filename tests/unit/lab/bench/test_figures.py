"""The bench's arithmetic and its table: medians with least and most, percentiles, an earlier run beside this one."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_worker.lab.bench.figures import (
    change,
    flat,
    last_tenth_to_first,
    ratio,
    shown,
    spread,
    summarized,
)
from aegis_worker.lab.bench.growth import beside
from aegis_worker.lab.bench.report import label, table


def test_a_spread_is_median_least_and_most() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert spread([4.0, 1.0]) == {"median": 2.5, "min": 1.0, "max": 4.0}


def test_rounds_are_summarized_name_by_name_at_every_depth() -> None:
    rounds = [
        {"throughput_per_s": 500.0, "latency_ms": {"p50": 4.0}},
        {"throughput_per_s": 700.0, "latency_ms": {"p50": 2.0}},
        {"throughput_per_s": 600.0, "latency_ms": {"p50": 9.0}},
    ]
    assert summarized(rounds) == {
        "throughput_per_s": {"median": 600.0, "min": 500.0, "max": 700.0},
        "latency_ms": {"p50": {"median": 4.0, "min": 2.0, "max": 9.0}},
    }


def test_a_round_without_a_figure_is_left_out_of_that_figure() -> None:
    assert summarized([{"a": 1.0, "b": None}, {"a": 3.0}]) == {"a": {"median": 2.0, "min": 1.0, "max": 3.0}}
    assert summarized([{"p": {"p50": None}}]) == {"p": {}}


def test_a_summary_is_flattened_to_dotted_names() -> None:
    one = spread([1.0])
    assert list(flat({"a": one, "b": {"c": one, "d": {"e": one}}})) == [
        ("a", one),
        ("b.c", one),
        ("b.d.e", one),
    ]


@pytest.mark.parametrize(
    ("now", "before", "said"), [(107.0, 100.0, "+7 %"), (50.0, 100.0, "-50 %"), (1.0, 1.0, "+0 %")]
)
def test_a_change_is_in_percent_of_before(now: float, before: float, said: str) -> None:
    assert change(now, before) == said


def test_a_ratio_needs_both_sides() -> None:
    assert ratio(3.0, 4.0) == 0.75
    assert ratio(None, 4.0) is None
    assert ratio(3.0, None) is None
    assert ratio(3.0, 0.0) is None


@pytest.mark.parametrize(
    ("value", "text"), [(0.123, "0.12"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")]
)
def test_figures_are_shown_with_the_digits_that_matter(value: float, text: str) -> None:
    assert shown(value) == text


def a_result(**cases: dict[str, Any]) -> dict[str, Any]:
    return {"mode": "drain", "unit": "payment", "cases": cases}


def test_the_table_has_a_row_for_each_figure_and_a_column_for_each_case() -> None:
    result = a_result(
        one={"throughput_per_s": spread([90.0, 100.0, 120.0]), "cpu_ms_by_part": {"web": spread([1.5])}},
        two={"throughput_per_s": spread([200.0])},
    )
    columns, rows = table(result, None)
    assert columns == ["", "one", "two"]
    assert rows == [
        ["payments per second", "100 (90.0 – 120)", "200"],
        ["  of it: web", "1.50", "–"],
    ]


def test_an_earlier_result_stands_beside_this_one() -> None:
    now = a_result(one={"throughput_per_s": spread([110.0])}, two={"throughput_per_s": spread([5.0])})
    before = a_result(one={"throughput_per_s": spread([100.0])})
    columns, rows = table(now, before)
    assert columns == ["", "one", "before", "two", "before"]
    assert rows == [["payments per second", "110", "100, now +10 %", "5.00", "–"]]


def test_nothing_before_has_no_percentage() -> None:
    now, before = (
        a_result(one={"cpu_ms_by_part": {"beat": spread([1.0])}}),
        a_result(one={"cpu_ms_by_part": {"beat": spread([0.0])}}),
    )
    assert table(now, before)[1] == [["  of it: beat", "1.00", "0.00"]]


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("throughput_per_s", "events per second"),
        ("latency_ms.p99", "latency, ms: p99"),
        ("floor.throughput_per_s", "floor: events per second"),
        ("cpu_ms_per_event", "CPU ms per event"),
        ("something_new", "something_new"),
    ],
)
def test_figures_have_names_for_people(name: str, called: str) -> None:
    assert label(name, "event") == called


def test_the_last_tenth_is_compared_with_the_first() -> None:
    even = [float(n) for n in range(2000)]
    assert last_tenth_to_first(even) == 1.0
    slower = even[:1500] + [1500 + 2.0 * n for n in range(500)]
    assert last_tenth_to_first(slower) == 0.5
    assert last_tenth_to_first(even[:999]) is None


def test_a_round_with_payments_there_stands_beside_the_one_without() -> None:
    empty = {
        "loop_ms": 30.0,
        "errors": [],
        "cases": {"a": {"throughput_per_s": 200.0, "cpu_ms_per_job": 2.0}},
    }
    grown = {
        "loop_ms": 40.0,
        "errors": ["lost"],
        "cases": {"a": {"throughput_per_s": 190.0, "cpu_ms_per_job": 3.0}},
    }
    both = beside(empty, grown, 1_000_000, "job")
    assert both["loop_ms"] == 40.0
    assert both["errors"] == ["lost (1,000,000 there)"]
    assert both["cases"].keys() == {"a", "a, 1,000,000 there"}
    assert both["cases"]["a, 1,000,000 there"]["ratio_to_empty"] == {"throughput": 0.95, "CPU": 1.5}
