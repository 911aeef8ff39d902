"""What may happen next to a payment, from any moment of its life: the product's own decisions over plain values.

Everything is computed once: a worker's decision, a gateway's answers, a write. An explorer owns what it has computed, so
nothing of one exploration reaches the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from aegis_worker.pipeline.work import Answer, Ask

from . import digests
from .asking import recheck_now
from .claiming import begin, claim, hand_back, is_due, is_suspicious
from .fates import Fate, fates_of_call, fates_of_look_up
from .hands import LATENCY_MS, Branch, Hand, decided, may_leave, settled, too_late
from .jumps import jumps
from .ledger import Ledger, passed
from .moments import rows_later
from .moves import Move, Step
from .rows import Rows
from .scenarios import scenario_of
from .setups import EPOCH_S, Configuration
from .world import Part, Parts, World
from .writes import Written, writes

T = TypeVar("T")
STALE = "a call that was frozen after its last look at the clock"
_WORKERS = 2
_LOCK_S = 1.0


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
        steps = [step for step in self._steps(world, left) if step.cost <= left]
        steps += self.scenario.steps(self, world, left)
        return steps

    def rows(self, rows: Rows) -> Part[Rows]:
        """The part of worlds that these tables are."""
        return self._rows.of(rows)

    def ledger(self, ledger: Ledger) -> Part[Ledger]:
        """The part of worlds that this ledger is."""
        return self._ledgers.of(ledger)

    def once(self, name: str, numbers: tuple[Any, ...], compute: Callable[[], T]) -> T:
        """What was computed for these parts before, or is now."""
        place = (name, *numbers)
        found = self._memo.get(place)
        if found is None:
            found = self._memo[place] = compute()
        return found

    def _steps(self, world: World, left: int) -> Iterator[Step]:
        for place, (hand, _) in enumerate(world.hands):
            if hand.value.asleep:
                awake = replace(hand.value, asleep=False)
                yield Step(Move("wake", _name(place)), 0, self._with_hand(world, place, awake))
                continue
            yield from self._works(world, place)
            if left:
                yield Step(Move("crash", _name(place)), 1, self._with_hand(world, place, None))
                yield from self._freezes(world, place)
        yield from self._claims(world)
        if not world.is_awake:
            yield from self._passes(world, left)

    def _works(self, world: World, place: int) -> Iterator[Step]:
        hand, clock = world.hands[place]
        yield from _ON[hand.value.point](self, world, place, hand, clock)

    def _decides(self, world: World, place: int, hand: Part[Hand], clock: float) -> Iterator[Step]:
        branches = self.once(
            "decide",
            (hand.number, clock),
            lambda: self._distinct(decided(hand.value, self.configuration, clock)),
        )
        yield from self._branches("decide", world, place, branches)

    def _settles(self, world: World, place: int, hand: Part[Hand], clock: float) -> Iterator[Step]:
        branches = self.once(
            "settle",
            (hand.number, clock),
            lambda: self._distinct(settled(hand.value, self.configuration, clock)),
        )
        yield from self._branches("settle", world, place, branches)

    def _distinct(self, branches: Iterator[Branch]) -> list[tuple[Branch, Part[Hand] | None]]:
        """The branches that differ, the cheapest of its kind each."""
        found: dict[tuple[int, tuple[int, ...]], tuple[Branch, Part[Hand] | None]] = {}
        for branch in branches:
            part = None if branch.hand is None else self._hands.of(branch.hand)
            place = (-1 if part is None else part.number, branch.charges)
            if place not in found or branch.cost < found[place][0].cost:
                found[place] = (branch, part)
        return list(found.values())

    def _branches(
        self, kind: str, world: World, place: int, branches: Sequence[tuple[Branch, Part[Hand] | None]]
    ) -> Iterator[Step]:
        for branch, part in branches:
            after = self._with_part(world, place, part)
            if branch.charges:
                heard = recheck_now(after.rows.value, branch.charges, 0.0)
                after = after._replace(rows=self._rows.of(heard))
            yield Step(Move(kind, _name(place), branch.how), branch.cost, after)

    def _writes(self, world: World, place: int, hand: Part[Hand], clock: float) -> Iterator[Step]:
        def compute() -> list[tuple[Written, Part[Rows], Part[Hand] | None]]:
            return [
                (
                    one,
                    self._rows.of(one.rows),
                    None if one.branch.hand is None else self._hands.of(one.branch.hand),
                )
                for one in writes(hand.value, world.rows.value, self.configuration, clock)
            ]

        for one, rows, part in self.once("write", (hand.number, clock, world.rows.number), compute):
            after = self._with_part(world._replace(rows=rows), place, part)
            yield Step(Move("write", _name(place), one.branch.how), one.branch.cost, after, one.wrong)

    def _checks(self, world: World, place: int, hand: Part[Hand], clock: float) -> Iterator[Step]:
        def compute() -> Part[Hand] | None:
            one = hand.value
            if may_leave(one, self.configuration, clock):
                return self._hands.of(replace(one, point="call", asked_at=clock))
            too_late(one, self.configuration, clock)
            return None

        part = self.once("check", (hand.number, clock), compute)
        how = "too late to send" if part is None else "in time"
        yield Step(Move("check", _name(place), how), 0, self._with_part(world, place, part))

    def _calls(self, world: World, place: int, hand: Part[Hand], clock: float) -> Iterator[Step]:
        one = hand.value
        number = self._position(one.holding.work.subject.gateway)
        before = world.ledgers[number]

        def compute() -> list[tuple[Fate, Part[Ledger], Part[Hand]]]:
            found = []
            for fate in self._fates(one, before.value):
                looked_up = isinstance(one.step, Ask)
                answer = Answer(fate.outcome, LATENCY_MS, looked_up, one.asked_at)
                after = replace(one, point="answered", answer=answer, asked_at=0.0, is_stale=False)
                found.append((fate, self._ledgers.of(fate.ledger), self._hands.of(after)))
            return found

        for fate, ledger, part in self.once("call", (hand.number, before.number), compute):
            ledgers = tuple(
                ledger if place_ == number else known for place_, known in enumerate(world.ledgers)
            )
            marks = [fate.mark] if fate.mark else []
            if one.is_stale and not isinstance(one.step, Ask):
                marks.append(STALE)
            after = self._with_part(world._replace(ledgers=ledgers), place, part)
            if marks:
                after = after._replace(marks=tuple(sorted({*world.marks, *marks})))
            yield Step(Move("call", _name(place), fate.how), fate.cost, after)

    def _fates(self, hand: Hand, ledger: Ledger) -> Iterator[Fate]:
        setup, step = self.configuration.gateway(ledger.name), hand.step
        if isinstance(step, Ask):
            return fates_of_look_up(ledger, setup, step.query)
        return fates_of_call(ledger, setup, step.request)

    def _position(self, gateway: str) -> int:
        return next(place for place, setup in enumerate(self.configuration.gateways) if setup.name == gateway)

    def _freezes(self, world: World, place: int) -> Iterator[Step]:
        hand = world.hands[place][0].value
        is_stale = hand.is_stale or hand.point == "call"
        frozen = self._with_hand(world, place, replace(hand, asleep=True, is_stale=is_stale))
        yield Step(Move("freeze", _name(place)), 1, frozen)
        if sum(not other.value.asleep for other, _ in world.hands) == 1:
            slept = self._with_hand(world, place, replace(hand, is_stale=is_stale))
            for jump in jumps(world, self.configuration):
                yield Step(Move("sleep", _name(place), s=jump), 1, self.later(slept, jump))

    def _claims(self, world: World) -> Iterator[Step]:
        job = world.rows.value.job
        if len(world.hands) == _WORKERS or not is_due(job, 0.0):
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

        rows, part, back = self.once("claim", (world.rows.number, floor), compute)
        hands = (*world.hands, (part, 0.0))
        yield Step(Move("claim", _name(len(world.hands))), 0, world._replace(rows=rows, hands=hands))
        yield Step(Move("lock"), 1, world._replace(rows=back))

    def _passes(self, world: World, left: int) -> Iterator[Step]:
        job = world.rows.value.job
        due_in_s = None
        if job is not None and job.status != "review":
            due_in_s = max(job.run_at, job.lease_until + 1.0 if job.status == "running" else 0.0)
        is_waiting = due_in_s is not None and (due_in_s <= 0 or bool(world.hands))
        if due_in_s is not None and due_in_s > 0:
            yield Step(Move("time", s=due_in_s), 0, self.later(world, due_in_s))
        if left and (is_waiting or world.hands):
            for jump in jumps(world, self.configuration):
                yield Step(Move("late", s=jump), 1, self.later(world, jump))

    def later(self, world: World, by_s: float) -> World:
        """The world after so many seconds in which nobody did anything."""
        rows = self.once(
            "rows later", (world.rows.number, by_s), lambda: self._rows.of(rows_later(world.rows.value, by_s))
        )
        ledgers = tuple(
            self.once(
                "ledger later",
                (ledger.number, by_s),
                lambda ledger=ledger: self._ledgers.of(passed(ledger.value, by_s)),  # type: ignore[misc]
            )
            for ledger in world.ledgers
        )
        hands = tuple((hand, clock + by_s) for hand, clock in world.hands)
        return World(rows, ledgers, hands, world.marks)

    def _with_hand(self, world: World, place: int, hand: Hand | None) -> World:
        return self._with_part(world, place, None if hand is None else self._hands.of(hand))

    def _with_part(self, world: World, place: int, part: Part[Hand] | None) -> World:
        before, after = world.hands[:place], world.hands[place + 1 :]
        if part is not None:
            return world._replace(hands=(*before, (part, world.hands[place][1]), *after))
        hands = (*before, *after)
        if hands:
            return world._replace(hands=hands)
        rows = self.once(
            "forget", (world.rows.number,), lambda: self._rows.of(_renumbered(world.rows.value, 0))
        )
        return world._replace(rows=rows, hands=())


def _renumbered(rows: Rows, floor: int) -> Rows:
    """The tables with small numbers in place of large ones, which mean the same: of fences only those count that somebody
    still holds, of versions only that nobody has read another.
    """
    job = rows.job
    if job is not None:
        begun = job.begun_epoch == job.lease_epoch and job.status == "running"
        job = replace(job, lease_epoch=floor, begun_epoch=floor if begun else -1)
    if floor == 0:
        outbox = rows.outbox - rows.payment.version + 1
        rows = replace(rows, payment=replace(rows.payment, version=1), outbox=outbox)
    return replace(rows, job=job)


def _name(place: int) -> str:
    return f"worker {place + 1}"


_ON: dict[str, Any] = {
    "claimed": Explorer._decides,
    "write": Explorer._writes,
    "check": Explorer._checks,
    "call": Explorer._calls,
    "answered": Explorer._settles,
}
