"""The moments of a life that were reached, as numbers, and where their moves lead: counted without being walked."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence

from .moves import Move

ROOT = 0
_NO_MOVE = Move("begin")
# An edge: the moment that it leads to, how many moves it stands for, and its cost in faults.
_LENGTH_BITS, _COST_BITS = 12, 2
_LONGEST = (1 << _LENGTH_BITS) - 1


class Graph:
    """Moments by number. Of each: its digest, the first move that led to it and from where, its layer, and its edges."""

    def __init__(self) -> None:
        self.numbers: dict[bytes, int] = {}
        self.parents = array("L")
        self.by_move = array("L")
        self.layers = bytearray()
        self.is_end = bytearray()
        self.moves: list[Move] = []
        self._move_numbers: dict[Move, int] = {}
        self._edges = array("Q")
        self._begins = array("Q")
        self._counts = array("H")

    @classmethod
    def of(cls, digests: bytes, columns: Mapping[str, bytes], moves: Sequence[Move]) -> Graph:
        """As it was when `columns` gave these."""
        graph = cls()
        graph.numbers = {digests[at : at + 16]: at // 16 for at in range(0, len(digests), 16)}
        graph.moves = list(moves)
        graph._move_numbers = {move: number for number, move in enumerate(graph.moves)}
        for name, column in graph._columns().items():
            if isinstance(column, bytearray):
                column[:] = columns[name]
            else:
                column.frombytes(columns[name])
        return graph

    def columns(self) -> dict[str, bytes]:
        """What is known of the moments, as bytes by name."""
        return {name: bytes(column) for name, column in self._columns().items()}

    def _columns(self) -> dict[str, array[int] | bytearray]:
        return {
            "parents": self.parents,
            "by_move": self.by_move,
            "layers": self.layers,
            "is_end": self.is_end,
            "edges": self._edges,
            "begins": self._begins,
            "counts": self._counts,
        }

    def __len__(self) -> int:
        return len(self.parents)

    def reach(self, digest: bytes, parent: int, move: Move, layer: int) -> int | None:
        """The number of a moment that is new, or was reached with more faults before and is still to be looked at; None for
        one that was reached with as few.
        """
        known = self.numbers.get(digest)
        if known is not None:
            if self.layers[known] <= layer:
                return None
            self.parents[known], self.by_move[known], self.layers[known] = (
                parent,
                self._number_of(move),
                layer,
            )
            return known
        number = self.numbers[digest] = len(self.parents)
        self.parents.append(parent)
        self.by_move.append(self._number_of(move))
        self.layers.append(layer)
        self.is_end.append(0)
        self._begins.append(0)
        self._counts.append(0)
        return number

    def expanded(self, number: int, edges: list[tuple[int, int, int]]) -> None:
        """Where the moves of the moment lead: to which, by how many moves, at what cost."""
        self._begins[number], self._counts[number] = len(self._edges), len(edges)
        for child, length, cost in edges:
            held = min(length, _LONGEST) << _COST_BITS | cost
            self._edges.append(child << (_LENGTH_BITS + _COST_BITS) | held)

    def following(self, number: int) -> Iterator[tuple[int, int, int]]:
        """As `expanded` was given them."""
        begin = self._begins[number]
        for edge in self._edges[begin : begin + self._counts[number]]:
            yield edge >> (_LENGTH_BITS + _COST_BITS), edge >> _COST_BITS & _LONGEST, edge & 3

    def moves_to(self, number: int) -> list[Move]:
        """The moves by which the moment was first reached, without those that could not but follow."""
        moves = []
        while number != ROOT:
            moves.append(self.moves[self.by_move[number]])
            number = self.parents[number]
        return moves[::-1]

    def _number_of(self, move: Move) -> int:
        number = self._move_numbers.get(move)
        if number is None:
            number = self._move_numbers[move] = len(self.moves)
            self.moves.append(move)
        return number


def in_order(graph: Graph) -> tuple[array[int], int | None]:
    """The moments, each after all that follow it without a fault; and one on a cycle without faults, if there is any."""
    order = array("L")
    seen = bytearray(len(graph))  # 1: under way, 2: done
    for root in range(len(graph)):
        if seen[root]:
            continue
        seen[root] = 1
        stack = [(root, _free(graph, root))]
        while stack:
            number, following = stack[-1]
            child = next(following, None)
            if child is None:
                seen[number] = 2
                order.append(number)
                stack.pop()
            elif seen[child] == 1:
                return order, child
            elif not seen[child]:
                seen[child] = 1
                stack.append((child, _free(graph, child)))
    return order, None


def _free(graph: Graph, number: int) -> Iterator[int]:
    return iter([child for child, _, cost in graph.following(number) if cost == 0])


def counted(graph: Graph, order: array[int], faults: int) -> tuple[int, int]:
    """How many lives there are with at most so many faults, and the moves of the longest."""
    lives: list[int] = []
    longest = array("L")
    for allowed in range(faults + 1):
        # Not an array, because there may be more lives than 64 bits count.
        more, longer = [0] * len(graph), array("L", bytes(array("L").itemsize * len(graph)))
        for number in order:
            if graph.layers[number] + allowed > faults:
                continue
            total, most = int(graph.is_end[number]), 0
            for child, length, cost in graph.following(number):
                if cost > allowed:
                    continue
                of_child, length_of_child = (more, longer) if cost == 0 else (lives, longest)
                total += of_child[child]
                most = max(most, length + length_of_child[child])
            more[number], longer[number] = total, most
        lives, longest = more, longer
    return lives[ROOT], longest[ROOT]
