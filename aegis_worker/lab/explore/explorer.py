"""What may happen next to a payment, from any moment of its life: the product's own decisions over plain values.

Everything is computed once: a worker's decision, a gateway's answers, a write. An explorer owns what it has computed, so
nothing of one exploration reaches the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from msgspec.structs import replace

from . import digests
from .claiming import begin, claim, hand_back, holds, is_due, is_suspicious
from .hands import Hand
from .jumps import jumps
from .ledger import Ledger, passed
from .moments import rows_later
from .moves import Move, Step
from .rows import Rows
from .scenarios import scenario_of
from .setups import EPOCH_S, Configuration
from .working import works
from .world import Part, Parts, World

T = TypeVar("T")
_WORKERS = 2
_LOCK_S = 1.0
# Results that are kept, of some 2 kB each.
_MOST_KEPT = 500_000
NAMES = tuple(f"worker {number}" for number in range(1, _WORKERS + 1))
_WAKES, _CRASHES, _FREEZES = ([Move(kind, name) for name in NAMES] for kind in ("wake", "crash", "freeze"))
_CLAIMS, _LOCKED = [Move("claim", name) for name in NAMES], Move("lock")


class Explorer:
    """All lives of a payment under one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.scenario = scenario_of(configuration.operation)
        self._rows: Parts[Rows] = Parts(digests.of_rows)
        self._ledgers: Parts[Ledger] = Parts(digests.of_ledger)
        self._hands: Parts[Hand] = Parts(digests.of_hand)
        self._memo: dict[Any, Any] = {}

    def begin(self) -> World:
        """The world in which the life begins."""
        rows, ledgers = self.scenario.begin(self.configuration)
        return World(self._rows.of(rows), tuple(self._ledgers.of(ledger) for ledger in ledgers))

    def steps(self, world: World, left: int) -> list[Step]:
        """Every move that costs `left` faults or fewer."""
        return list(self.moves(world, left))

    def moves(self, world: World, left: int) -> Iterator[Step]:
        """The same, each made when it is asked for."""
        yield from self._steps(world, left)
        yield from self.scenario.steps(self, world, left)

    def rows(self, rows: Rows) -> Part[Rows]:
        """The part of worlds that these tables are."""
        return self._rows.of(rows)

    def ledger(self, ledger: Ledger) -> Part[Ledger]:
        """The part of worlds that this ledger is."""
        return self._ledgers.of(ledger)

    def hand(self, hand: Hand) -> Part[Hand]:
        """The part of worlds that this worker's hand is."""
        return self._hands.of(hand)

    def forget(self) -> None:
        """What was computed is forgotten, once it is much: it would be most of what an exploration keeps in memory."""
        if len(self._memo) > _MOST_KEPT:
            self._memo.clear()

    def once(self, place: tuple[Any, ...], compute: Callable[[], T]) -> T:
        """What was computed for this before, or is now. `place`: a name, and the numbers of what it depends on."""
        found = self._memo.get(place)
        if found is None:
            found = self._memo[place] = compute()
        return found

    def _steps(self, world: World, left: int) -> Iterator[Step]:
        awake = 0
        for place, (hand, _) in enumerate(world.hands):
            if hand.value.asleep:
                yield self.wakes(world, place)
                continue
            awake += 1
            yield from works(self, world, place, left)
            if left:
                yield Step(_CRASHES[place], 1, self.with_hand(world, place, None))
                yield from self._freezes(world, place)
        yield from self._claims(world, left)
        if not awake:
            yield from self._passes(world, left)

    def wakes(self, world: World, place: int) -> Step:
        """The frozen worker goes on."""
        hand = world.hands[place][0]
        woken = self.once(("wake", hand.number), lambda: self._hands.of(replace(hand.value, asleep=False)))
        return Step(_WAKES[place], 0, self.with_hand(world, place, woken))

    def _freezes(self, world: World, place: int) -> Iterator[Step]:
        hand = world.hands[place][0]

        def compute() -> tuple[Part[Hand], Part[Hand]]:
            is_stale = hand.value.is_stale or hand.value.point == "call"
            slept = replace(hand.value, is_stale=is_stale)
            return self._hands.of(replace(slept, asleep=True)), self._hands.of(slept)

        frozen, slept = self.once(("freeze", hand.number), compute)
        yield Step(_FREEZES[place], 1, self.with_hand(world, place, frozen))
        if sum(not other.value.asleep for other, _ in world.hands) == 1:
            sleeps = self.with_hand(world, place, slept)
            for jump in jumps(world, self.configuration):
                yield Step(Move("sleep", NAMES[place], s=jump), 1, self.later(sleeps, jump))

    def _claims(self, world: World, left: int) -> Iterator[Step]:
        if len(world.hands) == _WORKERS or not is_due(world.rows.value.job, 0.0):
            return
        floor = max((hand.value.job.lease_epoch for hand, _ in world.hands), default=0)

        def compute() -> tuple[Part[Rows], Part[Hand], Part[Rows]]:
            rows = _renumbered(world.rows.value, floor)
            claimed_rows, claimed = claim(
                rows, lease_s=self.configuration.lease_s, now=0.0, since_1970_s=EPOCH_S
            )
            if is_suspicious(claimed):
                claimed_rows = begin(claimed_rows, claimed)
            back = hand_back(claimed_rows, claimed, delay_s=_LOCK_S, now=0.0)
            return self._rows.of(claimed_rows), self._hands.of(Hand("claimed", claimed)), self._rows.of(back)

        rows, part, back = self.once(("claim", world.rows.number, floor), compute)
        hands = (*world.hands, (part, 0.0))
        after = World(rows, world.ledgers, hands, world.marks)
        yield Step(_CLAIMS[len(world.hands)], 0, after, _too_early(world.rows.value))
        if left:
            yield Step(_LOCKED, 1, World(back, world.ledgers, world.hands, world.marks))

    def _passes(self, world: World, left: int) -> Iterator[Step]:
        job = world.rows.value.job
        due_in_s = None
        if job is not None and job.status != "review":
            due_in_s = max(job.run_at, job.lease_until + 1.0 if job.status == "running" else 0.0)
        if due_in_s is not None and due_in_s > 0:
            yield Step(Move("time", s=due_in_s), 0, self.later(world, due_in_s))
        is_waiting = due_in_s is not None and due_in_s <= 0
        if left and (is_waiting or world.hands):
            for jump in jumps(world, self.configuration):
                yield Step(Move("late", s=jump), 1, self.later(world, jump))

    def later(self, world: World, by_s: float) -> World:
        """The world after so many seconds in which nobody did anything."""
        rows = self.once(
            ("rows", world.rows.number, by_s), lambda: self._rows.of(rows_later(world.rows.value, by_s))
        )
        ledgers = tuple(self._ledger_later(ledger, by_s) for ledger in world.ledgers)
        hands = tuple((hand, clock + by_s) for hand, clock in world.hands)
        return World(rows, ledgers, hands, world.marks)

    def _ledger_later(self, ledger: Part[Ledger], by_s: float) -> Part[Ledger]:
        return self.once(
            ("ledger", ledger.number, by_s), lambda: self._ledgers.of(passed(ledger.value, by_s))
        )

    def with_hand(self, world: World, place: int, hand: Part[Hand] | None) -> World:
        """The world in which this worker holds something else, or nothing any more."""
        rows, ledgers, hands, marks = world
        if hand is not None:
            held = (hand, hands[place][1])
            return World(rows, ledgers, (*hands[:place], held, *hands[place + 1 :]), marks)
        if len(hands) > 1:
            others = (*hands[:place], *hands[place + 1 :])
            return self._afresh(World(rows, ledgers, others, marks))
        return World(self._forgotten(rows), ledgers, (), marks)

    def _afresh(self, world: World) -> World:
        """Once nobody but a worker that has just claimed holds anything, its fence and version are small again."""
        (hand, clock), *others = world.hands
        job = world.rows.value.job
        if (
            others
            or hand.value.point != "claimed"
            or job is None
            or not holds(world.rows.value, hand.value.job)
        ):
            return world

        def compute() -> tuple[Part[Rows], Part[Hand]]:
            begun = job.begun_epoch == job.lease_epoch
            rows = _first_version(world.rows.value)
            rows = replace(rows, job=replace(job, lease_epoch=1, begun_epoch=1 if begun else -1))
            claimed = replace(hand.value.job, lease_epoch=1, payment=rows.payment)
            return self._rows.of(rows), self._hands.of(replace(hand.value, job=claimed))

        rows, fresh = self.once(("afresh", world.rows.number, hand.number), compute)
        return World(rows, world.ledgers, ((fresh, clock),), world.marks)

    def _forgotten(self, rows: Part[Rows]) -> Part[Rows]:
        return self.once(("forget", rows.number), lambda: self._rows.of(_renumbered(rows.value, 0)))


def _too_early(rows: Rows) -> tuple[str, ...]:
    """D2: nobody claims what another worker may still be at work on."""
    job = rows.job
    is_held = job is not None and job.status == "running" and job.lease_until >= 0
    return ("D2: it is claimed while the lease of another worker lasts",) if is_held else ()


def _renumbered(rows: Rows, floor: int) -> Rows:
    """The tables with small numbers in place of large ones, which mean the same: of fences only those count that somebody
    still holds, of versions only that nobody has read another.
    """
    job = rows.job
    if job is not None:
        begun = job.begun_epoch == job.lease_epoch and job.status == "running"
        job = replace(job, lease_epoch=floor, begun_epoch=floor if begun else -1)
    return replace(_first_version(rows) if floor == 0 else rows, job=job)


def _first_version(rows: Rows) -> Rows:
    outbox = rows.outbox - rows.payment.version + 1
    return replace(rows, payment=replace(rows.payment, version=1), outbox=outbox)
