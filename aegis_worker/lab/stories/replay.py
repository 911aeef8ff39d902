"""A story lived again by the real pipeline on PostgreSQL, move by move, and whether it ends as it was explored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec.structs import replace as with_fields

from aegis_worker.domain.payment import Payment
from aegis_worker.errors import DatabaseUnavailable
from aegis_worker.lab.explore.explorer import Explorer
from aegis_worker.lab.explore.hands import GATE_RETRY_S, LONGEST_PAUSE, VERDICTS
from aegis_worker.lab.explore.moves import Move, Step
from aegis_worker.lab.explore.orders import prelude
from aegis_worker.lab.explore.setups import Configuration
from aegis_worker.lab.explore.world import World
from aegis_worker.lab.plants.patching import name_in
from aegis_worker.pipeline import routes
from aegis_worker.resilience.permits import Verdict, Wanted
from aegis_worker.routing.router import Decision

from .books import Book, LivedOtherwise
from .ends import End, differing, explored_end, real_end
from .installation import LEAVING, WRITING, WRITTEN, StoryInstallation
from .others import OTHERS, Life
from .outage import Outage
from .stepped import SteppedWorker

_CHECKING = ("gateway.sending", "replay.sending", "lookup.asking")
_ANSWERED = ("gateway.answered", "replay.answered", "lookup.answered")
# More faults than any move takes.
_ANY = 9
# Where a worker halts that has claimed and locked its job and has not decided about it.
ROUTING = "story.routing"
_LEFT_OUT = re.compile(r"routing leaves (\w+) out")
_VERDICTS = {said: verdict for said, _, verdict in VERDICTS if said}
# Where a worker halts in the real life while the explored one stands at a point.
_HALTS = {
    "claimed": (ROUTING,),
    "write": (WRITING,),
    "check": (WRITTEN, *_CHECKING),
    "call": (LEAVING,),
    "answered": _ANSWERED,
}


class RealLife:
    """One payment in the real pipeline, and its workers, in the order of their claims."""

    def __init__(self, installation: StoryInstallation, configuration: Configuration, world: World) -> None:
        self._installation, self._configuration = installation, configuration
        self._books = {
            setup.name: Book(setup, ledger.value, installation.clock)
            for setup, ledger in zip(configuration.gateways, world.ledgers, strict=True)
        }
        self._hands: list[SteppedWorker] = []
        self._begun = 0
        self._refusals: list[str] = []
        self._left_out: tuple[str, ...] = ()
        self._draw = 0.0
        self._outage = Outage()
        self.life = Life(installation, configuration, self._books)

    def follow(self, before: World, step: Step) -> None:
        """Make one move. Raises LivedOtherwise where the real life goes on otherwise."""
        move, after = step.move, step.world
        if move.s:
            self._installation.clock.pass_until(self._installation.clock.now_s + move.s)
        if move.kind in OTHERS:
            OTHERS[move.kind](self.life, move)
        elif move.kind == "claim":
            self._claim(before)
        elif move.kind == "lock":
            self._find_locked(before)
        elif move.kind in _WORKS:
            place = int(move.who.removeprefix("worker ")) - 1
            worker = self._hands[place]
            _WORKS[move.kind](self, worker, move.how)
            if len(after.hands) < len(before.hands):
                self._let_go(place, move.kind)
        self._are_where_they_were(after)

    @contextmanager
    def begun(self) -> Iterator[None]:
        """The payment is accepted; its routing is the explored one."""
        with name_in(routes, "decide", self._decide), self.life.begun():
            yield

    def end(self) -> End:
        """How the real life stands."""
        ledgers = [book.ledger for book in self._books.values()]
        return real_end(self._installation.database, self.life.payment_id, ledgers)

    def _claim(self, before: World) -> None:
        worker = self._worker(before)
        if worker.until(ROUTING) is None:
            raise LivedOtherwise("nothing is due for a claim")
        self._hands.append(worker)

    def _find_locked(self, before: World) -> None:
        worker = self._worker(before, lock_grants=False)
        if worker.until() is not None:
            raise LivedOtherwise("a worker goes on without the lock")

    def _worker(self, before: World, *, lock_grants: bool = True) -> SteppedWorker:
        job = before.rows.value.job
        if job is None:
            raise LivedOtherwise("there is no job to claim")
        self._begun += 1
        configuration = self._configuration
        return self._installation.worker(
            f"worker {self._begun}",
            job.queue,
            {name: book.gateway(self._installation.halts.come_by) for name, book in self._books.items()},
            self._verdict,
            policy=configuration.policy,
            lease_s=configuration.lease_s,
            draw=lambda: self._draw,
            lock_grants=lock_grants,
            outage=self._outage,
        )

    def _verdict(self, wanted: Wanted) -> Verdict:
        if not self._refusals:
            return Verdict(granted=True)
        return _VERDICTS[self._refusals.pop(0)]

    def _decides(self, worker: SteppedWorker, how: str) -> None:
        """Up to the next write or call, as the gates, routing and chance have it."""
        parts = how.split(", ")
        self._refusals = [part for part in parts if part in _VERDICTS]
        self._draw = 1.0 if LONGEST_PAUSE in parts else 0.0
        self._left_out = tuple(found[1] for part in parts if (found := _LEFT_OUT.fullmatch(part)))
        worker.until(WRITING, *_CHECKING)

    def _decide(self, payment: Payment, *facts: object, **more: object) -> Decision:
        """Routing, as it is explored: all gateways in their order, but those that are down just now."""
        self._installation.halts.come_by(ROUTING)
        left_out = self._left_out
        names = tuple(name for name in self._books if name not in left_out)
        return Decision(
            names,
            dict.fromkeys(left_out, "has an open breaker"),
            dict.fromkeys(left_out, GATE_RETRY_S),
        )

    def _writes(self, worker: SteppedWorker, how: str) -> None:
        if how != "PostgreSQL is away":
            worker.until(WRITTEN)
            return
        with self._outage.lasting():
            try:
                worker.until(WRITTEN)
            except DatabaseUnavailable:
                return
        raise LivedOtherwise("a write stands although PostgreSQL is away")

    def _checks(self, worker: SteppedWorker, how: str) -> None:
        worker.until(LEAVING, *_ANSWERED)

    def _calls(self, worker: SteppedWorker, how: str) -> None:
        name, _, fate = how.partition(" ")
        self._books[name].fate = fate
        worker.until(*_ANSWERED)

    def _stands_still(self, worker: SteppedWorker, how: str) -> None:
        """Frozen, asleep, or dead: nothing of it runs."""

    def _let_go(self, place: int, kind: str) -> None:
        """The worker has nothing more to do, or is dead."""
        worker = self._hands.pop(place)
        if kind == "crash":
            return
        while not worker.over and worker.failed is None:
            at = worker.step()
            if at in (WRITING, LEAVING):
                raise LivedOtherwise(f"{worker.name} goes on to {at} where it has let go in the story")

    def _are_where_they_were(self, after: World) -> None:
        for worker, (hand, _) in zip(self._hands, after.hands, strict=True):
            if worker.at not in _HALTS[hand.value.point]:
                raise LivedOtherwise(
                    f"{worker.name} is at {worker.at}, and in the story at {hand.value.point}"
                )


_WORKS: Mapping[str, Callable[[RealLife, SteppedWorker, str], None]] = {
    "decide": RealLife._decides,
    "settle": RealLife._decides,
    "write": RealLife._writes,
    "check": RealLife._checks,
    "call": RealLife._calls,
    "crash": RealLife._stands_still,
    "freeze": RealLife._stands_still,
    "wake": RealLife._stands_still,
    "sleep": RealLife._stands_still,
}


def live_again(
    installation: StoryInstallation, configuration: Configuration, begins: World, steps: Sequence[Step]
) -> list[str]:
    """Live the story in the real pipeline; returns what is otherwise at its end, in words.

    Raises LivedOtherwise as soon as the real life leaves the story.
    """
    before = prelude(configuration)
    world = Explorer(with_fields(configuration, operation="charge")).begin() if before else begins
    life = RealLife(installation, configuration, world)
    with life.begun():
        for number, step in enumerate((*before, *steps), 1 - len(before)):
            try:
                life.follow(world, step)
            except LivedOtherwise as otherwise:
                raise LivedOtherwise(f"at move {number} ({step.move.kind}): {otherwise}") from otherwise
            world = begins if number == 0 else step.world
        explored = explored_end(world.rows.value, [ledger.value for ledger in world.ledgers])
        return differing(explored, life.end())


def steps_of(explorer: Explorer, moves: Sequence[Move]) -> list[Step]:
    """The explored life that these moves lead through. Raises LivedOtherwise where a move is none of the explorer's."""
    world, steps = explorer.begin(), list[Step]()
    for number, move in enumerate(moves, 1):
        step = next((one for one in explorer.steps(world, _ANY) if one.move == move), None)
        if step is None:
            raise LivedOtherwise(
                f"move {number} ({' '.join(filter(None, move[:3]))}) can't be made in this configuration any more"
            )
        steps.append(step)
        world = step.world
    return steps
