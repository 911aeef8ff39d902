"""Every life of a payment with at most so many faults, each moment of it once.

Layer by layer, by the faults used so far: a moment that was reached with fewer faults has all the futures of the same
moment reached with more. Of every moment its sixteen bytes are kept, by which move it was first reached, and where its
moves lead, so that lives can be counted without being walked.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from .explorer import Explorer
from .moves import Move, Step
from .setups import Configuration
from .world import World, key

_ROOT = 0
_NO_PARENT = 0xFFFFFFFF


class Found(Struct, frozen=True):
    """A life that breaks something: its moves from the beginning, and what it breaks, in words."""

    configuration: str
    operation: str
    faults: int
    moves: list[Move]
    violations: list[str]


class Explored(Struct):
    """What was explored. `complete`: nothing was left out for the bound. `sequences`: lives, from beginning to end.

    `ends`: how many moments at which a life may end, by how. `marked`: of these, those that no client can rule out.
    `transitions`: moves that were looked at.
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
    cycle: list[Move] | None = None


class Graph:
    """The moments that were reached. Moves and worlds themselves are not kept, only numbers."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}
        self.parents = array("L")
        self.by_move = array("L")
        self.moves: list[Move] = []
        self._move_numbers: dict[Move, int] = {}
        self.edges = array("L")
        self.first_edge: dict[int, tuple[int, int]] = {}
        self.is_end = bytearray()

    def reach(self, digest: bytes, parent: int, move: Move) -> tuple[int, bool]:
        """The moment's number, and whether it is new."""
        number = self.numbers.get(digest)
        if number is not None:
            return number, False
        number = self.numbers[digest] = len(self.parents)
        self.parents.append(parent)
        self.by_move.append(self._number_of(move))
        self.is_end.append(0)
        return number, True

    def expanded(self, number: int, edges: list[tuple[int, int]]) -> None:
        """Where the moment's moves lead, each with its cost."""
        begin = len(self.edges)
        for child, cost in edges:
            self.edges.append(child << 2 | cost)
        self.first_edge[number] = (begin, len(self.edges))

    def following(self, number: int) -> Iterator[tuple[int, int]]:
        """The moments that follow, each with the cost of the move."""
        begin, end = self.first_edge.get(number, (0, 0))
        for place in range(begin, end):
            edge = self.edges[place]
            yield edge >> 2, edge & 3

    def moves_to(self, number: int) -> list[Move]:
        """The first way in which the moment was reached."""
        moves = []
        while number != _ROOT:
            moves.append(self.moves[self.by_move[number]])
            number = self.parents[number]
        return moves[::-1]

    def _number_of(self, move: Move) -> int:
        number = self._move_numbers.get(move)
        if number is None:
            number = self._move_numbers[move] = len(self.moves)
            self.moves.append(move)
        return number


class Search:
    """One exploration, which can be stopped and gone on with."""

    def __init__(self, configuration: Configuration, faults: int, *, most_found: int = 1) -> None:
        self.explorer = Explorer(configuration)
        self.configuration, self.faults = configuration, faults
        self.graph = Graph()
        self.layer = 0
        self.explored = Explored(configuration.name, configuration.operation, faults)
        self._most_found = most_found
        root = self.explorer.begin()
        self.graph.reach(key(root), _NO_PARENT, Move("begin"))
        self.now: list[tuple[int, World]] = [(_ROOT, root)]
        self.next: list[tuple[int, World]] = []

    def run(
        self, until: Callable[[], bool] = lambda: False, told: Callable[[int], None] | None = None
    ) -> bool:
        """Explore until all is, something is found, or `until()`; whether it is over."""
        begun = time.monotonic()
        try:
            return self._run(until, told)
        finally:
            self.explored.seconds += time.monotonic() - begun
            self.explored.states = len(self.graph.numbers)

    def _run(self, until: Callable[[], bool], told: Callable[[int], None] | None) -> bool:
        count = 0
        while True:
            while self.now:
                number, world = self.now.pop()
                self._expand(number, world)
                count += 1
                if count & 0x3FF == 0:
                    if told is not None:
                        told(0x400)
                    if until():
                        return False
                if len(self.explored.found) >= self._most_found:
                    return True
            if not self.next:
                self.explored.complete = True
                return True
            self.now, self.next = self.next, []
            self.layer += 1

    def _expand(self, number: int, world: World) -> None:
        graph, left = self.graph, self.faults - self.layer
        steps = self.explorer.steps(world, left)
        edges: list[tuple[int, int]] = []
        goes_on = wakes = False
        for step in steps:
            if step.wrong:
                self._found(number, step)
                continue
            if step.cost == 0:
                goes_on = True
                wakes = wakes or step.move.kind == "wake"
            child, is_new = graph.reach(key(step.world), number, step.move)
            edges.append((child, step.cost))
            if is_new:
                self._later(step.cost).append((child, step.world))
        self.explored.transitions += len(steps)
        graph.expanded(number, edges)
        only_wakes = not any(step.cost == 0 and step.move.kind != "wake" for step in steps)
        self._judge(number, world, goes_on=goes_on, only_wakes=only_wakes)

    def _later(self, cost: int) -> list[tuple[int, World]]:
        return self.now if cost == 0 else self.next

    def _judge(self, number: int, world: World, *, goes_on: bool, only_wakes: bool) -> None:
        scenario = self.explorer.scenario
        if not goes_on:
            self.graph.is_end[number] = 1
        if scenario.is_at_rest(world):
            wrong = scenario.judge(self.explorer, world) if only_wakes or not world.marks else ()
            if not goes_on:
                self._ended(world)
        else:
            wrong = () if goes_on else ("I2: nothing more happens, and the payment has not ended",)
        if wrong:
            self._found(number, None, wrong)

    def _ended(self, world: World) -> None:
        rows = world.rows.value
        name = "review" if rows.job is not None else rows.payment.state.value
        self.explored.ends[name] = self.explored.ends.get(name, 0) + 1
        self.explored.marked += bool(world.marks)

    def _found(self, number: int, step: Step | None, wrong: tuple[str, ...] = ()) -> None:
        moves = self.graph.moves_to(number)
        if step is not None:
            moves, wrong = [*moves, step.move], step.wrong
        found = Found(self.configuration.name, self.configuration.operation, self.layer, moves, list(wrong))
        self.explored.found.append(found)
