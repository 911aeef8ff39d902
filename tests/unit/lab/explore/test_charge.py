"""A charge, explored: what comes out where nothing goes wrong."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.search import Explored, Search

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
