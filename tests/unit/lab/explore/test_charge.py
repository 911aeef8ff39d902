"""A charge, explored: what comes out where nothing goes wrong, and where one thing does."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.search import Search


@pytest.mark.parametrize("name", ["one-step", "no-keys", "three-steps", "lagging"])
def test_where_nothing_goes_wrong_every_life_ends_and_none_waits_for_a_person(name: str) -> None:
    search = Search(CONFIGURATIONS[name], 0)
    search.run()
    assert search.explored.complete
    assert search.explored.found == []
    assert set(search.explored.ends) == {"SUCCESS", "FAILURE"}


def test_no_single_fault_charges_twice() -> None:
    search = Search(CONFIGURATIONS["one-step"], 1)
    search.run()
    assert search.explored.complete
    assert search.explored.found == []
