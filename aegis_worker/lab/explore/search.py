"""Every life of a payment with at most so many faults, each moment of it once.

Layer by layer, by the faults used so far: a moment that was reached with fewer faults has all the futures of the same
moment reached with more. Within a layer by the number of moves, so that the first life that breaks something is a
shortest. Moments from which only one thing can follow are not kept.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from msgspec import Struct, field

from .explorer import Explorer
from .graph import ROOT, Graph, counted, in_order
from .moves import Move, Step
from .setups import Configuration
from .through import made_first
from .world import World, key

# How many moves may follow of which each is the only one; a life that goes on for longer without a choice has no end.
_LONGEST_RUN = 1000
# Moments between choices whose next choice is remembered, of some 400 bytes each besides what they share.
_MOST_REMEMBERED = 200_000


@contextmanager
def _without_collecting() -> Iterator[None]:
    """What is made here is made of no cycles, and looking for some takes a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Found(Struct, frozen=True):
    """A life that breaks something: its moves from the beginning, and what it breaks, in words."""

    configuration: str
    operation: str
    faults: int
    moves: list[Move]
    violations: list[str]


class Explored(Struct):
    """What was explored. `complete`: nothing was left out for the bound. `sequences`: lives, from beginning to end.

    `states`: moments at which something is to be chosen. `ends`: how many of them may be the end, by how the payment
    stands. `marked`: of these, ends that no client can rule out, which were judged by whether they are detected.
    `transitions`: moves that were looked at. `depth`: the moves of the longest life.
    """

    configuration: str
    operation: str
    faults: int
    states: int = 0
    transitions: int = 0
    sequences: int = 0
    depth: int = 0
    seconds: float = 0.0
    complete: bool = False
    marked: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)


class Search:
    """One exploration, which can be stopped and gone on with. `drops`: what makes no difference when it is done is done
    at once (`through`).
    """

    def __init__(
        self, configuration: Configuration, faults: int, *, most_found: int = 1, drops: bool = True
    ) -> None:
        self.configuration, self.faults, self.drops = configuration, faults, drops
        self.explorer = Explorer(configuration)
        self.graph = Graph()
        self.layer = self.depth = 0
        self.explored = Explored(configuration.name, configuration.operation, faults)
        self._most_found = most_found
        # By moment and faults that are left: the moment of choice that cannot but follow, and after how many moves.
        self._ahead: dict[tuple[World, int], tuple[World, int]] = {}
        root, self._before_choice = self.beginning()
        self.explored.transitions = self._before_choice
        self.graph.reach(key(root), ROOT, Move("begin"), 0)
        # What is still to be looked at, by how many moves lead there: of this layer, and of the next.
        self.now: dict[int, list[tuple[int, World]]] = {0: [(ROOT, root)]}
        self.next: dict[int, list[tuple[int, World]]] = {}

    def beginning(self) -> tuple[World, int]:
        """The first moment at which something is to be chosen, and how many moves lead there."""
        world = self.explorer.begin()
        return self._run_on(world, self.faults) or (world, 0)

    def run(
        self, until: Callable[[], bool] = lambda: False, told: Callable[[int], None] = lambda states: None
    ) -> bool:
        """Explore until all is, something is found, or `until()`; whether it is over. `told` is called with how many more
        moments were looked at.
        """
        if self.explored.complete or len(self.explored.found) >= self._most_found:
            return True
        begun = time.monotonic()
        with _without_collecting():
            is_over = self._run(until, told)
        if self.explored.complete and not self.explored.found:
            self._count()
        self.explored.seconds += time.monotonic() - begun
        self.explored.states = len(self.graph)
        return is_over

    def after(self, world: World, layer: int, move: Move) -> World | None:
        """The next moment of choice after this move, made in this layer; None where it can't be made."""
        left = self.faults - layer
        step = next((one for one in self._steps(world, left) if one.move == move), None)
        ahead = None if step is None else self._run_on(step.world, left - step.cost)
        return None if ahead is None else ahead[0]

    @staticmethod
    def digest(world: World) -> bytes:
        """What stands for the moment."""
        return key(world)

    def _run(self, until: Callable[[], bool], told: Callable[[int], None]) -> bool:
        looked_at = 0
        while self.now or self.next:
            if not self.now:
                self.now, self.next = self.next, {}
                self.layer += 1
            self.depth = min(self.now)
            todo = self.now[self.depth]
            while todo:
                number, world = todo.pop()
                if self.graph.layers[number] < self.layer:
                    continue  # it was reached with fewer faults since
                self._expand(number, world)
                looked_at += 1
                if not looked_at & 0xF:
                    self._forget()
                    told(0x10)
                    if until():
                        return False
                if len(self.explored.found) >= self._most_found:
                    return True
            del self.now[self.depth]
        self.explored.complete = True
        return True

    def _expand(self, number: int, world: World) -> None:
        left = self.faults - self.layer
        steps = self._steps(world, left)
        self.explored.transitions += len(steps)
        edges: list[tuple[int, int, int]] = []
        for step in steps:
            if step.wrong:
                self._found(number, step.wrong, step)
                continue
            ahead = self._run_on(step.world, left - step.cost)
            if ahead is None:
                self._found(number, (f"no end: {_LONGEST_RUN} moves, each the only one",), step)
                continue
            after, run = ahead
            self.explored.transitions += run
            digest = key(after)
            child = self.graph.reach(digest, number, step.move, self.layer + step.cost)
            if child is None:
                child = self.graph.numbers[digest]
            else:
                queue = self.next if step.cost else self.now
                queue.setdefault(self.depth + run + 1, []).append((child, after))
            edges.append((child, run + 1, step.cost))
        self.graph.expanded(number, edges)
        self._judge(number, world, steps)

    def _run_on(self, world: World, left: int) -> tuple[World, int] | None:
        """On to the next moment at which something is to be chosen or judged, and over how many moves; None without end."""
        passed: list[World] = []
        while (known := self._ahead.get((world, left))) is None:
            following = self._only_step(world, left)
            if following is None:
                known = world, 0
                break
            passed.append(world)
            if len(passed) > _LONGEST_RUN:
                return None
            world = following.world
        for one in reversed(passed):
            self._ahead[one, left] = known = known[0], known[1] + 1
        return known

    def _only_step(self, world: World, left: int) -> Step | None:
        """What cannot but follow; None where there is something to be chosen or judged."""
        first = self._first(world, left)
        if first:
            return first[0] if len(first) == 1 else None
        if (left and world.hands) or self.explorer.scenario.is_at_rest(world):
            return None  # a worker at work can always crash
        steps = list(islice(self.explorer.moves(world, left), 2))
        if len(steps) != 1 or steps[0].cost or steps[0].wrong:
            return None
        return steps[0]

    def _forget(self) -> None:
        self.explorer.forget()
        if len(self._ahead) > _MOST_REMEMBERED:
            self._ahead.clear()

    def _steps(self, world: World, left: int) -> list[Step]:
        """What may be next."""
        return self._first(world, left) or self.explorer.steps(world, left)

    def _first(self, world: World, left: int) -> list[Step]:
        return made_first(self.explorer, world, left) if self.drops and world.hands else []

    def _judge(self, number: int, world: World, steps: list[Step]) -> None:
        scenario = self.explorer.scenario
        goes_on = any(not step.cost for step in steps)
        if not goes_on:
            self.graph.is_end[number] = 1
        if not scenario.is_at_rest(world):
            if not goes_on:
                self._found(number, ("I2: nothing more happens, and the payment has not ended",))
            return
        is_over = all(step.cost or step.move.kind == "wake" for step in steps)
        wrong = scenario.judge(self.explorer, world) if is_over or not world.marks else ()
        if wrong:
            self._found(number, wrong)
        elif not goes_on:
            job, payment = world.rows.value.job, world.rows.value.payment
            name = payment.state.value if job is None else f"{payment.state.value}, review"
            self.explored.ends[name] = self.explored.ends.get(name, 0) + 1
            self.explored.marked += bool(world.marks)

    def _found(self, number: int, wrong: tuple[str, ...], step: Step | None = None) -> None:
        """The life up to the moment, or up to the step that breaks something there."""
        moves = self._whole(self.graph.moves_to(number))
        if step is not None:
            moves.append(step.move)
        name, operation = self.configuration.name, self.configuration.operation
        self.explored.found.append(Found(name, operation, self.layer, moves, list(wrong)))

    def _whole(self, chosen: list[Move]) -> list[Move]:
        """The moves with those between that could not but follow."""
        moves: list[Move] = []
        world, left, todo = self.explorer.begin(), self.faults, iter(chosen)
        while True:
            step = self._only_step(world, left)
            if step is None:
                move = next(todo, None)
                step = next((one for one in self._steps(world, left) if one.move == move), None)
            if step is None:
                return moves
            moves.append(step.move)
            world, left = step.world, left - step.cost

    def _count(self) -> None:
        order, on_a_cycle = in_order(self.graph)
        if on_a_cycle is not None:
            self._found(on_a_cycle, ("a cycle: without any fault it comes to this moment again and again",))
            return
        self.explored.sequences, longest = counted(self.graph, order, self.faults)
        self.explored.depth = self._before_choice + longest
