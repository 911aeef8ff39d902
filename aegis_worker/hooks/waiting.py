"""The questions that wait for a process: by point, so that hooks of one point that hang don't hold up those of another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import count

from .asked import Asked, Hook
from .points import Point

# The memory that waiting questions may take is bounded; beyond, hooks have failed at once.
MOST = 10_000


class Waiting:
    """Queues by point, which take turns; within a point, first come, first served. Those that are being asked are looked
    after here too: when their time is up.
    """

    def __init__(self) -> None:
        self._queues: dict[Point, deque[Asked]] = {}
        self._until: list[tuple[int, int, Asked]] = []
        self._order = count()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def put(self, asked: Asked) -> bool:
        """At the end of its point's queue. False: too many wait."""
        if len(self) >= MOST:
            return False
        heappush(self._until, (asked.until_ns, next(self._order), asked))
        self._queues.setdefault(asked.point, deque()).append(asked)
        return True

    def due(self) -> list[int]:
        """When the time of the next is up (CLOCK_MONOTONIC); nothing where there is none."""
        return [self._until[0][0]] if self._until else []

    def expired(self, now_ns: int) -> list[Asked]:
        """Those whose time is up, each once."""
        found = []
        while self._until and (self._until[0][2].is_over or self._until[0][0] <= now_ns):
            asked = heappop(self._until)[2]
            if not asked.is_over:
                found.append(asked)
        return found

    def put_back(self, asks: Sequence[Asked]) -> None:
        """At the head of its point's queue, in order: they have had their turn, and it was no fault of theirs."""
        for asked in reversed(asks):
            self._queues.setdefault(asked.point, deque()).appendleft(asked)

    def of(self, point: Point) -> Iterable[Asked]:
        """Those of one point."""
        return tuple(self._queues.get(point, ()))

    def drop_all(self) -> list[Asked]:
        """All of them, also those that are being asked; none waits any more."""
        found = [asked for _, _, asked in self._until]
        self._until.clear()
        self._queues.clear()
        return found

    def take(self, most: int, now_ns: int, *, suspects: bool) -> list[Asked]:
        """Those that one process is to be sent now, at most `most`, and only one where a hook of it may well hang; of that
        kind only where `suspects` may be sent. Those whose hooks have all spoken, or need not be asked, are finished.
        """
        for point in list(self._queues):
            queue = self._queues.pop(point)
            taken = _taken(queue, most, now_ns, suspects)
            if queue:
                self._queues[point] = queue  # behind the others: points take turns
            if taken:
                return taken
        return []


def _taken(queue: deque[Asked], most: int, now_ns: int, suspects: bool) -> list[Asked]:
    taken: list[Asked] = []
    while queue and len(taken) < most:
        asked = queue[0]
        hooks = [] if asked.is_over else asked.to_ask(now_ns)
        is_suspect = _may_hang(hooks)
        if is_suspect and (taken or not suspects):
            break
        queue.popleft()
        if not hooks:
            asked.finish()
            continue
        asked.sent = tuple(hooks)
        taken.append(asked)
        if is_suspect:
            break
    return taken


def _may_hang(hooks: Sequence[Hook]) -> bool:
    return any(hook.breaker.is_suspect for hook in hooks)
