"""The picture of a simulation, and how the console writes amounts, times and ids."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_api.console import shown
from aegis_api.console.flow_picture import SLIM, WIDE, flow_picture
from aegis_worker.observability.redaction import HIDDEN


def simulated(was: dict[str, int], *moves: tuple[str | None, str | None, int]) -> dict[str, Any]:
    return {
        "gateways": [{"gateway": name, "was": payments} for name, payments in was.items()],
        "moves": [{"from": here, "to": there, "payments": payments} for here, there, payments in moves],
    }


def test_a_picture_says_in_words_what_it_shows() -> None:
    picture = flow_picture(simulated({"a": 100, "b": 50}, ("a", "b", 30), ("b", None, 5)), WIDE)
    assert picture is not None
    assert picture.label == "Payments that would move: 30 from a to b, 5 from b to no gateway."
    assert [(band.title, band.moves) for band in picture.bands] == [
        ("a to a: 70 payments", False),
        ("b to b: 45 payments", False),
        ("a to b: 30 payments", True),
        ("b to no gateway: 5 payments", True),
    ]
    told = {(bar.name, bar.x): bar.payments for bar in picture.bars}
    assert told == {("a", 190): 100, ("b", 190): 50, ("a", 810): 70, ("b", 810): 75, ("no gateway", 810): 5}


def test_nothing_is_drawn_of_no_payments_and_nothing_moves_where_all_stay() -> None:
    assert flow_picture(simulated({"a": 0}), WIDE) is None
    picture = flow_picture(simulated({"a": 3}), SLIM)
    assert picture is not None
    assert (picture.label, len(picture.bands)) == ("No payment would move.", 1)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10**6), min_size=1),
    st.data(),
)
def test_bars_stand_apart_and_bands_leave_and_reach_them_whole(
    was: dict[str, int], data: st.DataObject
) -> None:
    moves, left = [], dict(was)
    for _ in range(data.draw(st.integers(0, 5))):
        here, there = (
            data.draw(st.sampled_from(sorted(was))),
            data.draw(st.sampled_from([*sorted(was), None])),
        )
        payments = data.draw(st.integers(0, left[here]))
        if here != there and payments:
            left[here] -= payments
            moves.append((here, there, payments))
    picture = flow_picture(simulated(was, *moves), WIDE)
    if picture is None:
        assert not sum(was.values())
        return
    for x in (WIDE.left, WIDE.right):
        column = [bar for bar in picture.bars if bar.x == x]
        assert sum(bar.payments for bar in column) == sum(was.values())
        assert all(above.y + above.high < below.y for above, below in pairwise(column))
        assert all(bar.y + bar.high <= picture.height for bar in column)
    assert all(re.fullmatch(r"M[-0-9. CVZ]+", band.path) for band in picture.bands)


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (128_050, "USD", "1,280.50"),
        (0, "EUR", "0.00"),
        (1999, "JPY", "1,999"),
        (1, "BHD", "0.001"),
        (-23_566, "USD", "\N{MINUS SIGN}235.66"),
    ],
)
def test_amounts_are_written_by_their_currencies_exponent(minor: int, currency: str, written: str) -> None:
    assert shown.amount(minor, currency) == written


def test_spans_are_told_by_their_largest_unit() -> None:
    told = {
        0.04: "0.0 s",
        9.9: "9.9 s",
        59.4: "59 s",
        60: "1 min",
        3599: "59 min",
        7200: "2 h",
        200_000: "2 d",
    }
    assert {seconds: shown.span(seconds) for seconds in told} == told
    assert shown.ago(datetime.now(UTC) + timedelta(minutes=5, seconds=1)) == "in 5 min"
    assert shown.ago((datetime.now(UTC) - timedelta(hours=3)).isoformat()) == "3 h ago"


def test_an_id_keeps_both_ends_and_what_was_hidden_is_apart() -> None:
    assert shown.short_id("pay_01a218bdd02173438f275bbdd32da8a1") == "pay_01a2…2da8a1"
    assert shown.short_id("ch_1") == "ch_1"
    assert shown.hidden_apart(f"key {HIDDEN}, amount 5") == [
        ("key ", False),
        ("hidden", True),
        (", amount 5", False),
    ]
    assert shown.upper_first("stripe_eu has it") == "stripe_eu has it"
