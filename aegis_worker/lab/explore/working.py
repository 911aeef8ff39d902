"""A worker's next effect, in each of the ways in which it may go, and the world after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aegis_worker.pipeline.work import Answer, Ask

from .asking import recheck_now
from .fates import Fate, fates_of_call, fates_of_look_up
from .hands import LATENCY_MS, Branch, Hand, decided, may_leave, settled, too_late
from .ledger import Ledger
from .moves import Move, Step
from .rows import Rows
from .world import Part, World
from .writes import Written, writes

if TYPE_CHECKING:
    from .explorer import Explorer

# The mark of what a call has done that slept between its last look at the clock and its first byte.
STALE = "a call that was frozen after its last look at the clock"


def works(explorer: Explorer, world: World, place: int, left: int) -> Iterator[Step]:
    """What the worker at `place` does next, for `left` faults or fewer."""
    return _ON[world.hands[place][0].value.point](explorer, world, place, left)


def _decides(explorer: Explorer, world: World, place: int, left: int) -> Iterator[Step]:
    hand, clock = world.hands[place]
    branches = explorer.once(
        ("decide", place, hand.number, clock, left),
        lambda: _distinct(
            explorer, "decide", place, decided(hand.value, explorer.configuration, clock, left)
        ),
    )
    return _branches(explorer, world, place, branches)


def _settles(explorer: Explorer, world: World, place: int, left: int) -> Iterator[Step]:
    hand, clock = world.hands[place]
    branches = explorer.once(
        ("settle", place, hand.number, clock, left),
        lambda: _distinct(
            explorer, "settle", place, settled(hand.value, explorer.configuration, clock, left)
        ),
    )
    return _branches(explorer, world, place, branches)


_Branches = list[tuple[Move, Branch, Part[Hand] | None]]


def _distinct(explorer: Explorer, kind: str, place: int, branches: Iterator[Branch]) -> _Branches:
    """The branches that differ, the cheapest of its kind each."""
    found: dict[tuple[int, tuple[tuple[int, str | None], ...]], tuple[Move, Branch, Part[Hand] | None]] = {}
    for branch in branches:
        part = None if branch.hand is None else explorer.hand(branch.hand)
        at = (-1 if part is None else part.number, branch.charges)
        if at not in found or branch.cost < found[at][1].cost:
            found[at] = (Move(kind, _name(place), branch.how), branch, part)
    return list(found.values())


def _branches(explorer: Explorer, world: World, place: int, branches: _Branches) -> Iterator[Step]:
    for move, branch, part in branches:
        after = explorer.with_hand(world, place, part)
        if branch.charges:
            heard = recheck_now(after.rows.value, branch.charges, 0.0)
            after = after._replace(rows=explorer.rows(heard))
        yield Step(move, branch.cost, after)


def _writes(explorer: Explorer, world: World, place: int, left: int) -> Iterator[Step]:
    hand, clock = world.hands[place]

    def compute() -> list[tuple[Move, Written, Part[Rows], Part[Hand] | None]]:
        return [
            (
                Move("write", _name(place), one.branch.how),
                one,
                explorer.rows(one.rows),
                None if one.branch.hand is None else explorer.hand(one.branch.hand),
            )
            for one in writes(hand.value, world.rows.value, explorer.configuration, clock, left)
        ]

    for move, one, rows, part in explorer.once(
        ("write", place, hand.number, clock, world.rows.number, bool(left)), compute
    ):
        after = explorer.with_hand(World(rows, world.ledgers, world.hands, world.marks), place, part)
        yield Step(move, one.branch.cost, after, one.wrong)


def _checks(explorer: Explorer, world: World, place: int, left: int) -> Iterator[Step]:
    hand, clock = world.hands[place]

    def compute() -> tuple[Move, Part[Hand] | None]:
        one = hand.value
        if may_leave(one, explorer.configuration, clock):
            part = explorer.hand(replace(one, point="call", asked_at=clock))
            return Move("check", _name(place), "in time"), part
        too_late(one, explorer.configuration, clock)
        return Move("check", _name(place), "too late to send"), None

    move, part = explorer.once(("check", place, hand.number, clock), compute)
    yield Step(move, 0, explorer.with_hand(world, place, part))


def _calls(explorer: Explorer, world: World, place: int, left: int) -> Iterator[Step]:
    hand = world.hands[place][0]
    name = hand.value.holding.work.subject.gateway
    number = explorer.configuration.position(name)
    before = world.ledgers[number]

    def compute() -> list[tuple[Move, int, tuple[str, ...], Part[Ledger], Part[Hand]]]:
        return [
            (
                Move("call", _name(place), f"{name} {fate.how}"),
                fate.cost,
                _marks(hand.value, fate),
                before if fate.ledger is before.value else explorer.ledger(fate.ledger),
                _answered(explorer, hand, fate),
            )
            for fate in _fates(explorer, hand.value, before.value)
            if fate.cost <= left
        ]

    for move, cost, marks, ledger, part in explorer.once(
        ("call", place, hand.number, before.number, left), compute
    ):
        ledgers = (*world.ledgers[:number], ledger, *world.ledgers[number + 1 :])
        kept = tuple(sorted({*world.marks, *marks})) if marks else world.marks
        yield Step(move, cost, explorer.with_hand(World(world.rows, ledgers, world.hands, kept), place, part))


def _fates(explorer: Explorer, hand: Hand, ledger: Ledger) -> Iterator[Fate]:
    setup, step = explorer.configuration.gateway(ledger.name), hand.step
    if isinstance(step, Ask):
        return fates_of_look_up(ledger, setup, step.query)
    return fates_of_call(ledger, setup, step.request)


def _answered(explorer: Explorer, part: Part[Hand], fate: Fate) -> Part[Hand]:
    """The worker with the answer, of which many gateways' moments give the same."""

    def compute() -> Part[Hand]:
        hand = part.value
        answer = Answer(fate.outcome, LATENCY_MS, isinstance(hand.step, Ask), hand.asked_at)
        return explorer.hand(replace(hand, point="answered", answer=answer, asked_at=0.0, is_stale=False))

    return explorer.once(("answered", part.number, fate.outcome), compute)


def _marks(hand: Hand, fate: Fate) -> tuple[str, ...]:
    is_stale = hand.is_stale and not isinstance(hand.step, Ask)
    return (*((fate.mark,) if fate.mark else ()), *((STALE,) if is_stale else ()))


def _name(place: int) -> str:
    return f"worker {place + 1}"


_ON: dict[str, Callable[[Explorer, World, int, int], Iterator[Step]]] = {
    "claimed": _decides,
    "write": _writes,
    "check": _checks,
    "call": _calls,
    "answered": _settles,
}
