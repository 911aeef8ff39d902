"""`Prefer: wait=N` is read as RFC 7240 says, and only some requests of a process may wait."""

from __future__ import annotations

import pytest

from aegis_api.http.places import Places
from aegis_api.http.waiting import LONGEST_WAIT_S, wanted_s


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ([], 0),
        (["wait=5"], 5),
        (["Wait = 5"], 5),
        (['wait="5"'], 5),
        (["wait=10"], 10),
        (["wait=11"], LONGEST_WAIT_S),
        (["wait=999999"], LONGEST_WAIT_S),
        (["wait=0"], 0),
        (["respond-async, wait=3"], 3),
        (["respond-async", "wait=3"], 3),
        (["wait=3; foo=bar"], 3),
        (["wait=2, wait=9"], 2),
        (["wait=-1"], 0),
        (["wait=1.5"], 0),
        (["wait=soon"], 0),
        (["wait"], 0),
        (["wait=" + "9" * 5000], 0),
        (["return=minimal"], 0),
    ],
)
def test_the_preference_is_read_and_bounded(prefer: list[str], seconds: int) -> None:
    assert wanted_s(prefer) == seconds


def test_no_more_requests_wait_than_there_are_places() -> None:
    waiters = Places(2)
    with waiters.place() as first, waiters.place() as second, waiters.place() as third:
        assert (first, second, third) == (True, True, False)
    with waiters.place() as again:
        assert again is True


def test_a_place_is_given_back_when_waiting_fails() -> None:
    waiters = Places(1)
    with pytest.raises(ZeroDivisionError), waiters.place():
        _ = 1 / 0
    with waiters.place() as again:
        assert again is True
