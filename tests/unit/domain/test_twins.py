"""Charges that carry one reference of ours: which one a look-up is about, and which are its twins."""

from __future__ import annotations

import pytest

from aegis_worker.domain.actions import Redirect
from aegis_worker.domain.outcomes import (
    ActionRequired,
    Approved,
    Declined,
    Lookup,
    NotFound,
    Pending,
    Twin,
    Unknown,
)
from aegis_worker.domain.twins import beside, new_twins, of_several

REFUSED = Declined("stolen_card", "43", gateway_ref="ch_3")
GIVEN_BACK = Approved("ch_4", captured_minor=1999, refunded_minor=1999)
WAITS = ActionRequired("ch_5", Redirect("https://bank.example"))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], NotFound()),
        ([Approved("ch_1")], Approved("ch_1")),
        ([Approved("ch_1"), Approved("ch_2", False)], Approved("ch_1", twins=(Twin("ch_2", False),))),
        ([REFUSED, Approved("ch_2")], Approved("ch_2")),
        ([Pending("ch_1"), Approved("ch_2")], Approved("ch_2", twins=(Twin("ch_1", pending=True),))),
        ([WAITS, Approved("ch_2")], Approved("ch_2", twins=(Twin("ch_5", pending=True),))),
        ([GIVEN_BACK, Approved("ch_2")], Approved("ch_2")),
        ([Pending("ch_1"), Pending("ch_2")], Pending("ch_1")),
        ([Unknown("?"), REFUSED], Unknown("?")),
    ],
)
def test_the_one_that_got_furthest_counts_and_what_else_stands_are_its_twins(
    found: list[Lookup], said: Lookup
) -> None:
    assert of_several(found) == said


@pytest.mark.parametrize(
    ("said", "listed", "both"),
    [
        (Approved("ch_1"), Approved("ch_1"), Approved("ch_1")),
        (Approved("ch_1"), Approved("ch_2"), Approved("ch_1", twins=(Twin("ch_2"),))),
        (
            Approved("ch_1"),
            Approved("ch_2", twins=(Twin("ch_1"), Twin("ch_6"))),
            Approved("ch_1", twins=(Twin("ch_2"), Twin("ch_6"))),
        ),
        (Approved("ch_1"), NotFound(), Approved("ch_1")),
        (REFUSED, Approved("ch_1"), Declined("stolen_card", "43", "", "ch_3", twins=(Twin("ch_1"),))),
        (Approved("ch_1"), Unknown("503"), Unknown("503")),
        (Unknown("503"), Approved("ch_2"), Unknown("503")),
        (Pending("ch_1"), Approved("ch_2"), Pending("ch_1")),
    ],
)
def test_a_look_up_by_id_stays_about_that_charge_and_shows_the_others_beside_it(
    said: Lookup, listed: Lookup, both: Lookup
) -> None:
    assert beside(said, listed) == both


def test_a_twin_that_an_attempt_stands_for_is_not_new() -> None:
    shown = Approved("ch_1", twins=(Twin("ch_2"), Twin("ch_3")))
    assert new_twins(shown, {"ch_1", "ch_2", None}) == [Twin("ch_3")]
    assert new_twins(NotFound(), ()) == []
