"""A charge, explored: what comes out where nothing goes wrong."""

from __future__ import annotations

import pytest

from aegis_worker.domain.outcomes import Operation
from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.fates import arrivals
from aegis_worker.lab.explore.ledger import Ledger, OnItsWay
from aegis_worker.lab.explore.search import Explored, Search
from aegis_worker.lab.explore.setups import PAYMENT_ID

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


@pytest.mark.parametrize(("shown_within_s", "at"), [(0.0, -1200.0), (120.0, -1320.0), (None, 0.0)])
def test_a_late_call_shows_so_long_after_it_came_or_left_whenever_somebody_looks(
    shown_within_s: float | None, at: float
) -> None:
    late = OnItsWay(
        Operation.PROCESS, f"{PAYMENT_ID}-p1", True, 1999, -1200.0, 600.0, shown_within_s=shown_within_s
    )
    ((_, arrived),) = arrivals(Ledger("a", on_its_way=(late,)))
    assert [entry.at for entry in arrived.entries] == [at]
