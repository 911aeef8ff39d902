"""Captures, voids and refunds are explored: with their guards nothing is found, and without one it is."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.search import Explored, Search
from aegis_worker.lab.plants import planted

# How each kind of order ends where nothing goes wrong.
ENDS = {
    "capture-lagging": {"AUTHORIZED", "SUCCESS"},
    "final-capture": {"AUTHORIZED", "SUCCESS"},
    "void": {"AUTHORIZED", "CANCELLED"},
    "capture-and-void": {"AUTHORIZED", "CANCELLED", "SUCCESS"},
    "refund-lagging": {"SUCCESS"},
}


def explored(name: str, faults: int, *plants: str) -> Explored:
    with planted(plants, in_model=True):
        search = Search(CONFIGURATIONS[name], faults)
        search.run()
    return search.explored


@pytest.mark.parametrize("name", ENDS)
def test_without_faults_orders_end_done_or_refused(name: str) -> None:
    lives = explored(name, 0)
    assert lives.found == []
    assert lives.complete
    assert set(lives.ends) <= ENDS[name]
    assert ENDS[name] - {"AUTHORIZED"} <= set(lives.ends)


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("capture-lagging", "unknown-order-taken-as-failure"),
        ("refund-lagging", "new-key-for-each-send"),
        ("captures-no-keys", "resend-without-keys"),
        ("captures-no-keys", "attempt-after-the-call"),
    ],
)
def test_an_order_whose_guard_is_taken_away_is_done_twice_or_told_wrongly_after_one_fault(
    name: str, plant: str
) -> None:
    assert any(
        wrong[:2] in ("I1", "I3") for found in explored(name, 1, plant).found for wrong in found.violations
    )
