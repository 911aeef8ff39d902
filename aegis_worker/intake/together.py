"""Leader and followers: of those who ask at the same time, one carries out what all of them want.

Who finds nobody at work leads at once, so there is no timer and who is alone waits for nobody. Whoever asks meanwhile
stands in line; when the leader is done, the first in line leads the next group, which is all who stand there by then.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

import structlog

from aegis_worker.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Together(Generic[Asked, Told]):
    """One line. `write` carries out a group, in the leader's thread, and never runs twice at the same time.

    It returns what each is told, in their order, or None for one that must be tried by itself. A group has at most `most`
    by `size`, or is one alone. Thread-safe.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Asked]], Sequence[Told | None]],
        *,
        size: Callable[[Asked], int],
        most: int,
    ) -> None:
        self._write = write
        self._size = size
        self._most = most
        self._lock = Lock()
        self._line: deque[_Place[Asked, Told]] = deque()
        self._led = False

    def ask(self, asked: Asked, *, until: float) -> Told | None:
        """What this one is told, or None: then the caller must try it without the others, whether it was written or not.

        That is so for all of a group whose leader's thread failed. Raises DatabaseUnavailable where it still follows at
        `until` (monotonic): then it was not written, or it is just being written; or, for who leads nobody else, what
        `write` raises.
        """
        place: _Place[Asked, Told] = _Place(asked)
        with self._lock:
            self._line.append(place)
            if not self._led:
                self._led = place.leads = True
        if not place.leads:
            self._follow(place, until)
        if place.leads:
            self._lead()
        return place.told

    def _follow(self, place: _Place[Asked, Told], until: float) -> None:
        """Wait until the place leads or has ended."""
        try:
            came = place.turn.acquire(timeout=max(until - time.monotonic(), 0.0))
        except BaseException:
            self._leave(place)
            raise
        if not came and not self._stays(place):
            raise DatabaseUnavailable("the payments before this one are still being written")

    def _stays(self, place: _Place[Asked, Told]) -> bool:
        """Whether the turn came in the last moment. Otherwise the place is no longer in line."""
        with self._lock:
            if place.leads or place.ended:
                return True
            self._remove(place)
            return False

    def _leave(self, place: _Place[Asked, Told]) -> None:
        with self._lock:
            self._remove(place)
            following = self._appoint() if place.leads else None
        if following is not None:
            following.turn.release()

    def _remove(self, place: _Place[Asked, Told]) -> None:
        if place in self._line:
            self._line.remove(place)

    def _lead(self) -> None:
        group = self._take()
        try:
            told = self._write([place.asked for place in group])
            for place, each in zip(group, told, strict=True):
                place.told = each
        except Exception:
            if len(group) == 1:
                raise
            # It may be the doing of one of them. By themselves, each gets its own error.
            log.warning("a group failed; each of it is tried by itself", size=len(group), exc_info=True)
        finally:
            self._end(group)

    def _take(self) -> list[_Place[Asked, Told]]:
        with self._lock:
            group = [self._line.popleft()]
            size = self._size(group[0].asked)
            while self._line and (size := size + self._size(self._line[0].asked)) <= self._most:
                group.append(self._line.popleft())
            return group

    def _end(self, group: Sequence[_Place[Asked, Told]]) -> None:
        with self._lock:
            for place in group:
                place.ended = True
            following = self._appoint()
        # The next leader first, because PostgreSQL waits for it.
        if following is not None:
            following.turn.release()
        for place in group[1:]:
            place.turn.release()

    def _appoint(self) -> _Place[Asked, Told] | None:
        """Pass the lead on to the first in line, who is to be woken, or to whoever comes next."""
        self._led = bool(self._line)
        if not self._line:
            return None
        self._line[0].leads = True
        return self._line[0]


class _Place(Generic[Asked, Told]):
    """Somebody's place in line. `turn` is released once: when it leads, or when it has ended."""

    __slots__ = ("asked", "ended", "leads", "told", "turn")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.told: Told | None = None
        self.leads = self.ended = False
        # A lock is the cheapest thing to wait for with a limit: an Event is made of three of them.
        self.turn = Lock()
        self.turn.acquire()
