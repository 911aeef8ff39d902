"""What a payer brings back is explored: handed on once, no second one beside it, and nobody is charged twice."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.explorer import Explorer
from aegis_worker.lab.explore.moves import Step
from aegis_worker.lab.explore.search import Explored, Search

CONFIRMS = [name for name, one in CONFIGURATIONS.items() if one.options.get("confirm")]


def explored(name: str, faults: int) -> Explored:
    search = Search(CONFIGURATIONS[name], faults)
    search.run()
    return search.explored


@pytest.mark.parametrize("name", CONFIRMS)
def test_without_faults_a_payer_who_comes_back_pays_or_is_refused(name: str) -> None:
    lives = explored(name, 0)
    assert (lives.found, lives.complete) == ([], True)
    assert {"SUCCESS", "FAILURE"} <= set(lives.ends)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIRMS)
def test_one_fault_breaks_no_life_of_a_payer_who_comes_back(name: str) -> None:
    lives = explored(name, 1)
    assert (lives.found, lives.complete) == ([], True)


def along(explorer: Explorer, *moves: tuple[str, str]) -> list[Step]:
    """A life that comes by these moves, and else goes on by what costs nothing."""
    world, steps, left = explorer.begin(), list[Step](), list(moves)
    while left:
        ways = explorer.steps(world, 1)
        kind, words = left[0]
        wanted = [way for way in ways if way.move.kind == kind and words in way.move.how]
        if wanted:
            del left[0]
        free = [way for way in ways if not way.cost and way.move.kind != "confirm"]
        steps.append((wanted or free)[0])
        world = steps[-1].world
    return steps


def kinds_after(explorer: Explorer, steps: list[Step], left: int) -> set[str]:
    return {way.move.kind for way in explorer.steps(steps[-1].world, left)}


def test_a_confirm_is_taken_while_the_payer_is_waited_for_and_no_second_one_while_it_is_under_way() -> None:
    explorer = Explorer(CONFIGURATIONS["confirm"])
    before = along(explorer, ("call", "sends the payer away"))
    assert "confirm" not in kinds_after(explorer, before, 1)
    brought = along(explorer, ("call", "sends the payer away"), ("confirm", "1"))
    assert [one.is_open for one in brought[-1].world.rows.value.confirms] == [True]
    assert "confirm" not in kinds_after(explorer, brought, 1)


def test_what_the_gateway_took_is_paid_and_what_was_brought_back_is_erased() -> None:
    explorer = Explorer(CONFIGURATIONS["confirm"])
    steps = along(
        explorer, ("call", "sends the payer away"), ("confirm", "1"), ("call", "a takes it"), ("write", "")
    )
    rows = steps[-1].world.rows.value
    assert rows.payment.state == "SUCCESS"
    assert [one.is_open for one in rows.confirms] == [False]
