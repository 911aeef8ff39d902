"""No single fault breaks a life, in any configuration; two and three are explored by the slow tests."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.search import Explored, Search

# Of charges and orders those with the fewest lives are explored in the default run, and of those that differ only in that
# their gateways have no keys, or one step more, the first.
_SHORT = (
    "one-step", "no-keys", "two-steps", "lagging", "no-look-ups", "never-absent", "cancelled", "held",
    "capture-lagging", "capture-mute", "final-capture", "void", "refund-lagging",
)  # fmt: skip
LONG = tuple(name for name in CONFIGURATIONS if name not in _SHORT)
_OF_THREE_FAULTS = ("one-step", "no-keys", "refund-lagging")


def explored(name: str, faults: int, *, drops: bool = True) -> Explored:
    search = Search(CONFIGURATIONS[name], faults, drops=drops)
    assert search.run()
    return search.explored


def is_whole(found: Explored) -> bool:
    assert found.found == []
    assert found.sequences >= found.states > 100
    return found.complete


@pytest.mark.parametrize("name", _SHORT)
def test_no_single_fault_breaks_a_life(name: str) -> None:
    assert is_whole(explored(name, 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_no_single_fault_breaks_a_long_life(name: str) -> None:
    assert is_whole(explored(name, 1))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_two_faults_break_a_life(name: str) -> None:
    assert is_whole(explored(name, 2))


@pytest.mark.slow
@pytest.mark.parametrize("name", _OF_THREE_FAULTS)
def test_no_three_faults_break_a_life(name: str) -> None:
    assert is_whole(explored(name, 3))


_WAKES = [
    ("no-keys", 1),
    ("refund-lagging", 1),
    pytest.param("refund-lagging", 2, marks=pytest.mark.slow),
    pytest.param("void", 2, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "faults"), _WAKES)
def test_workers_that_lost_their_fence_change_no_end_where_they_wake_at_any_time(
    name: str, faults: int
) -> None:
    at_once, at_any_time = explored(name, faults), explored(name, faults, drops=False)
    assert (at_once.ends, at_once.marked) == (at_any_time.ends, at_any_time.marked)
    assert at_once.states < at_any_time.states
