"""A gateway that answers with another payment's charge: nothing is believed that is not its own (D18)."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore import writes
from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.search import Explored, Search
from aegis_worker.lab.plants.patching import name_in

MIXED_UP = [name for name in CONFIGURATIONS if "mixed-up" in name]


def explored(name: str, faults: int) -> Explored:
    search = Search(CONFIGURATIONS[name], faults)
    search.run()
    return search.explored


@pytest.mark.parametrize("name", ["capture-mixed-up", "refund-mixed-up"])
def test_an_order_answered_with_another_payments_reference_ends_as_its_ledger_has_it(name: str) -> None:
    lives = explored(name, 1)
    assert (lives.found, lives.complete) == ([], True)


@pytest.mark.slow
@pytest.mark.parametrize("name", MIXED_UP)
def test_no_answer_of_another_payment_breaks_a_life(name: str) -> None:
    lives = explored(name, 1)
    assert (lives.found, lives.complete) == ([], True)


def test_without_one_payment_for_each_reference_a_payment_stands_on_a_charge_of_another() -> None:
    with name_in(writes, "_is_taken", lambda change: False):
        (found,) = explored("mixed-up", 1).found
    assert found.faults == 1
    assert any("(D18)" in wrong for wrong in found.violations)
