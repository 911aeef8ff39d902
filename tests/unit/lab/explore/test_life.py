"""Whole lives are explored: a hold is cancelled and captured at any time, in any order, and ends as the ledger has it."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.search import Explored, Search

LIVES = [
    name
    for name, one in CONFIGURATIONS.items()
    if one.operation == "life" and one.terms.capture_method == "manual"
]


def explored(name: str, faults: int) -> Explored:
    search = Search(CONFIGURATIONS[name], faults)
    search.run()
    return search.explored


@pytest.mark.parametrize("name", LIVES)
def test_without_faults_a_hold_is_released_or_the_payment_fails(name: str) -> None:
    lives = explored(name, 0)
    assert (lives.found, lives.complete) == ([], True)
    # AUTHORIZED: no cancel came, or its gateway refused to release.
    assert {"AUTHORIZED", "CANCELLED", "FAILURE"} <= set(lives.ends)


def test_a_part_that_was_captured_before_the_cancel_is_a_success() -> None:
    assert set(explored("cancel-capture", 0).ends) == {"AUTHORIZED", "CANCELLED", "FAILURE", "SUCCESS"}


@pytest.mark.slow
@pytest.mark.parametrize("name", LIVES)
def test_one_fault_breaks_no_life_of_a_hold_that_is_cancelled(name: str) -> None:
    lives = explored(name, 1)
    assert (lives.found, lives.complete) == ([], True)
