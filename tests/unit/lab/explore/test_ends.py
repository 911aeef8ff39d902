"""What a gateway does with a charge by itself is explored: a hold that ends, and a charge that is refunded once settled."""

from __future__ import annotations

import pytest

from aegis_worker.lab.explore.configurations import CONFIGURATIONS
from aegis_worker.lab.explore.explorer import Explorer
from aegis_worker.lab.explore.search import Explored, Search
from aegis_worker.lab.explore.world import World

# How each ends where nothing goes wrong.
ENDS = {
    "hold-ends": {"CANCELLED"},
    "hold-ends-capture": {"CANCELLED", "SUCCESS"},
    "hold-ends-part": {"CANCELLED", "SUCCESS"},
    "hold-ends-void": {"CANCELLED"},
    "hold-released": {"CANCELLED", "SUCCESS"},
    "hold-ends-told": {"CANCELLED"},
    "refund-waits": {"SUCCESS"},
    "refunds-wait": {"SUCCESS"},
    "refund-voids": {"SUCCESS"},
    "refund-waits-told": {"SUCCESS"},
}


def explored(name: str, faults: int) -> Explored:
    search = Search(CONFIGURATIONS[name], faults)
    search.run()
    assert search.explored.found == []
    assert search.explored.complete
    return search.explored


@pytest.mark.parametrize("name", ENDS)
def test_without_faults_what_is_held_is_captured_or_released_and_what_waits_is_refunded(name: str) -> None:
    assert set(explored(name, 0).ends) == ENDS[name]


def test_a_hold_that_shows_for_days_after_its_end_is_left_to_a_person() -> None:
    assert set(explored("hold-ends", 1).ends) == {"CANCELLED", "AUTHORIZED, review"}


def test_a_refund_whose_charge_is_not_settled_after_a_month_is_left_to_a_person() -> None:
    assert set(explored("refund-waits", 1).ends) == {"SUCCESS", "SUCCESS, review"}


def lived(name: str, *signs: tuple[str, str]) -> World:
    """The way through these moves, and between them the one on which nothing goes wrong."""
    explorer, left = Explorer(CONFIGURATIONS[name]), list(signs)
    world = explorer.begin()
    while left:
        ways = explorer.steps(world, 0)
        wanted = [way for way in ways if (way.move.kind, way.move.how) == left[0]]
        if wanted:
            del left[0]
        world = (wanted or [way for way in ways if way.move.kind != "order"])[0].world
    return world


def test_a_void_is_ordered_by_us_once_before_a_hold_ends() -> None:
    world = lived("hold-released", ("look", ""), ("look", ""), ("call", "a does it"), ("write", "written"))
    (row,) = world.rows.value.entities
    assert row.by_us
    assert world.rows.value.payment.state == "CANCELLED"


def test_a_refund_waits_and_nothing_is_sent_before_its_charge_is_settled() -> None:
    unsettled = ("call", "a it is not settled yet")
    world = lived("refund-waits", ("order", "refund 700"), unsettled, ("settle", ""), ("write", "written"))
    (row,) = world.rows.value.entities
    assert row.entity.status == "waiting"
    assert [entry.operation for entry in world.ledgers[0].value.entries] == ["process"]
