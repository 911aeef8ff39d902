"""The questions that wait for a process: by point, so that hooks of one point that hang don't hold up those of another."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from .asked import Asked, Hook
from .points import Point

# The memory that waiting questions may take is bounded; beyond, hooks have failed at once.
MOST = 10_000


class Waiting:
    """Queues by point, which take turns; within a point, first come, first served."""

    def __init__(self) -> None:
        self._queues: dict[Point, deque[Asked]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def put(self, asked: Asked) -> None:
        """At the end of its point's queue."""
        self._queues.setdefault(asked.point, deque()).append(asked)

    def put_back(self, asks: Sequence[Asked]) -> None:
        """At the head of its point's queue, in order: they have had their turn, and it was no fault of theirs."""
        for asked in reversed(asks):
            self._queues.setdefault(asked.point, deque()).appendleft(asked)

    def of(self, point: Point) -> Iterable[Asked]:
        """Those of one point."""
        return tuple(self._queues.get(point, ()))

    def take_all(self) -> list[Asked]:
        """All of them; none waits any more."""
        found = [asked for queue in self._queues.values() for asked in queue]
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
