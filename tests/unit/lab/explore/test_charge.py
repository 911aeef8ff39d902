"""A charge, explored: what comes out where nothing goes wrong, and where one thing does."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.search import Explored, Search

# In the default run; all of them are `slow`.
SHOWN = ("no-keys",)
_OF_CHARGE = [name for name, one in CONFIGURATIONS.items() if one.operation == "charge"]


def explored(name: str, faults: int) -> Explored:
    search = Search(CONFIGURATIONS[name], faults)
    assert search.run()
    return search.explored


@pytest.mark.parametrize("name", _OF_CHARGE)
def test_where_nothing_goes_wrong_every_life_ends(name: str) -> None:
    found = explored(name, 0)
    assert found.complete
    assert found.found == []
    assert {end.partition(",")[0] for end in found.ends} <= {"SUCCESS", "FAILURE", "AUTHORIZED", "PROCESSING"}


@pytest.mark.parametrize("name", SHOWN)
def test_no_single_fault_breaks_a_life(name: str) -> None:
    found = explored(name, 1)
    assert found.complete
    assert found.found == []
    assert found.sequences > found.states > 1000


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in _OF_CHARGE if name not in SHOWN])
def test_no_single_fault_breaks_a_life_in_any_configuration(name: str) -> None:
    found = explored(name, 1)
    assert found.complete
    assert found.found == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one-step", "no-keys"])
def test_no_two_faults_break_a_life(name: str) -> None:
    found = explored(name, 2)
    assert found.complete
    assert found.found == []
