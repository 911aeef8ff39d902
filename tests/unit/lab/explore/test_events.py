"""Gateways' events are explored: they come at any time, late, twice, out of order or never, and no end depends on one."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.explorer import Explorer
from aegis_worker.lab.explore.moves import Move, Step
from aegis_worker.lab.explore.search import Explored, Search

TOLD = [name for name, one in CONFIGURATIONS.items() if one.options.get("events")]


def explored(name: str, faults: int) -> Explored:
    search = Search(CONFIGURATIONS[name], faults)
    search.run()
    return search.explored


@pytest.mark.parametrize("name", TOLD)
def test_events_at_any_time_break_no_life_without_faults(name: str) -> None:
    lives = explored(name, 0)
    assert (lives.found, lives.complete) == ([], True)


@pytest.mark.slow
@pytest.mark.parametrize("name", TOLD)
def test_events_out_of_turn_and_one_other_fault_break_no_life(name: str) -> None:
    lives = explored(name, 1)
    assert (lives.found, lives.complete) == ([], True)


def along(explorer: Explorer, *moves: tuple[str, str]) -> list[Step]:
    """A life that comes by these moves, the first of a kind that has these words; else on the straight way."""
    world, steps, left = explorer.begin(), list[Step](), list(moves)
    while left:
        ways = explorer.steps(world, 1)
        kind, words = left[0]
        wanted = [way for way in ways if way.move.kind == kind and words in way.move.how]
        if wanted:
            del left[0]
        steps.append((wanted or [way for way in ways if not way.cost and way.move.kind != "event"])[0])
        world = steps[-1].world
    return steps


def events_of(explorer: Explorer, step: Step, left: int) -> list[Move]:
    return [way.move for way in explorer.steps(step.world, left) if way.move.kind == "event"]


def test_an_event_that_tells_how_it_is_comes_once_and_one_out_of_turn_is_a_fault() -> None:
    explorer = Explorer(CONFIGURATIONS["told"])
    steps = along(explorer, ("call", "the answer is lost"), ("write", ""))
    (event,) = events_of(explorer, steps[-1], 0)
    assert event == Move("event", "a", "payment.succeeded of attempt 1")
    assert all("out of turn" in one.how for one in events_of(explorer, steps[-1], 1)[1:])
    after = along(explorer, ("call", "the answer is lost"), ("write", ""), ("event", "payment.succeeded"))
    assert after[-1].world.rows.value.job.run_at == 0.0  # type: ignore[union-attr]
    assert events_of(explorer, after[-1], 0) == []


def test_what_a_gateway_takes_back_behind_an_open_job_is_followed_after_that_job() -> None:
    explorer = Explorer(CONFIGURATIONS["refund-told"])
    steps = along(
        explorer,
        ("call", "does it"),
        ("write", ""),
        ("event", "payment.refunded"),
        ("call", "it shows"),
        ("takes back", ""),
        ("event", "refund.failed"),
    )
    assert [one.waits for one in steps[-1].world.rows.value.told] == [False, True]
    steps = along(
        explorer, *((one.move.kind, one.move.how) for one in steps), ("follow", ""), ("call", "it shows")
    )
    assert not any(one.waits for one in steps[-1].world.rows.value.told)
