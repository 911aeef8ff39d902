"""Moves that are made before all others, because it makes no difference when they are made.

Two kinds. A worker that has lost its fence and can neither send, ask nor tell of anything any more only finds that out,
whenever it wakes: it does so at once, and is gone. And once no fault is left, what a worker does with nothing but what it
holds, which is to decide, to settle and to look at the clock, can't be told from the same done later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .claiming import holds
from .hands import Hand, decided, may_leave, settled
from .moves import Step
from .setups import Configuration
from .working import works
from .world import World
from .writes import tells

if TYPE_CHECKING:
    from .explorer import Explorer

_WITH_ITSELF = ("claimed", "check", "answered")


def made_first(explorer: Explorer, world: World, left: int) -> list[Step]:
    """The moves of which one is made before anything else happens; none where everything may be next."""
    for place, (hand, clock) in enumerate(world.hands):
        if not holds(world.rows.value, hand.value.job) and _is_through(explorer, world, place, clock):
            if hand.value.asleep:
                return [explorer.wakes(world, place)]
            return [next(step for step in works(explorer, world, place, 0) if not step.cost)]
    if left or len(world.hands) < 2:
        return []
    for place, (hand, _) in enumerate(world.hands):
        if not hand.value.asleep and hand.value.point in _WITH_ITSELF:
            steps = list(works(explorer, world, place, 0))
            if all(step.world.rows is world.rows for step in steps):
                return steps
    return []


def _is_through(explorer: Explorer, world: World, place: int, clock: float) -> bool:
    hand = world.hands[place][0]
    return explorer.once(
        ("through", hand.number, clock), lambda: (is_through(hand.value, explorer.configuration, clock),)
    )[0]


def is_through(hand: Hand, configuration: Configuration, clock: float) -> bool:
    """Whether a worker that has lost its fence does nothing any more that anybody could notice, now or later."""
    if hand.point == "write":
        return not tells(hand)
    if hand.point == "check":
        return not may_leave(hand, configuration, clock)
    if hand.point == "call" or clock <= _held_until_s(hand, configuration):
        return False
    branches = decided if hand.point == "claimed" else settled
    return all(
        not one.charges and (one.hand is None or (one.hand.point == "write" and not tells(one.hand)))
        for one in branches(hand, configuration, clock)
    )


def _held_until_s(hand: Hand, configuration: Configuration) -> float:
    return configuration.lease_s if hand.held is None else hand.held.work.held_until_s
