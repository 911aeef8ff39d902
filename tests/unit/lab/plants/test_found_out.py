"""Each guard that is taken away is missed by the explorer, with as few faults as its record says."""

from __future__ import annotations

import pytest

from aegis_worker.lab.plants import PLANTS, Plant
from aegis_worker.lab.stories.planted import found_out

# One fault, and many states: in which a gateway's events may come at any time, or a payer may pay.
_AMONG_MANY = {"event-forgotten-behind-a-job", "silence-taken-for-a-closed-door"}
_AT_ONCE = [plant for plant in PLANTS.values() if plant.faults < 2 and plant.name not in _AMONG_MANY]
_LONG = [plant for plant in PLANTS.values() if plant not in _AT_ONCE]


def check(plant: Plant) -> None:
    story = found_out(plant).story
    assert story is not None
    assert story.faults == plant.faults
    assert story.planted == (plant.name,)
    assert story.violations != ()


@pytest.mark.parametrize("plant", _AT_ONCE, ids=lambda plant: plant.name)
def test_the_explorer_finds_a_guard_missing(plant: Plant) -> None:
    check(plant)


@pytest.mark.slow
@pytest.mark.parametrize("plant", _LONG, ids=lambda plant: plant.name)
def test_the_explorer_finds_a_guard_missing_that_takes_long_to_need(plant: Plant) -> None:
    check(plant)


def test_the_guards_that_the_fault_matrix_holds_and_those_that_a_first_prototype_missed_are_among_them() -> (
    None
):
    of_the_matrix = {"no-fence", "attempt-after-the-call", "new-key-for-each-send"}
    missed = {"ladders-end-as-failure", "one-absence-answer", "absence-window-of-0", "claims-ignore-leases"}
    assert of_the_matrix | missed <= PLANTS.keys()
