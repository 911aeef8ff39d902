"""Calls that are still in flight when their run ends: a run ends at its limit and does not wait for slow calls."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from aegis_worker.errors import DatabaseUnavailable

from .window import Window

log = structlog.get_logger(__name__)


class Tail:
    """The windows that runs of this process left with calls in flight, until the next run goes on with them.

    Meanwhile a thread settles what answers. A window has one owner at any time: a run, or that thread. Whoever ends the
    process calls `finish` before: an answer that nobody waits for has to be asked for again by another worker.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[_Left] = []

    def take(self, new: Callable[[], Window]) -> Window:
        """A window for a run: one that was left with calls in flight, or a new one."""
        while (left := self._any_left()) is not None:
            left.stop()
            if len(left.window):
                left.window.begin_run()
                return left.window
            left.end()
        return new()

    def leave(self, window: Window, settle: Callable[[], None], give_back: Callable[[], None] | None) -> None:
        """The run is over. `settle` waits a moment for answers and writes those that came; `give_back` gives back what is
        held and not in flight, now and at the end, unless something broke.
        """
        if give_back is not None:
            give_back()
        if not len(window):
            return
        left = _Left(window, settle, give_back)
        with self._lock:
            self._left.append(left)
        left.start()

    def finish(self) -> None:
        """Return when nothing is in flight any more, which takes as long as the slowest call."""
        while (left := self._any_left()) is not None:
            left.join()

    def _any_left(self) -> _Left | None:
        with self._lock:
            return self._left.pop() if self._left else None


class _Left(threading.Thread):
    def __init__(
        self, window: Window, settle: Callable[[], None], give_back: Callable[[], None] | None
    ) -> None:
        super().__init__(name="tail")
        self.window, self._settle, self._give_back = window, settle, give_back
        self._taken = threading.Event()

    def run(self) -> None:
        while len(self.window) and not self._taken.is_set():
            try:
                self._settle()
            except DatabaseUnavailable as error:
                log.warning("answers not written; their payments are asked about later", error=str(error))
            except Exception:
                log.exception("answers not settled; their payments are asked about later")
                self._give_back = None
        if not self._taken.is_set():
            self.end()

    def stop(self) -> None:
        """Let go of the window, after the commit that is under way."""
        self._taken.set()
        self.join()

    def end(self) -> None:
        """Nothing is in flight any more."""
        if self._give_back is not None:
            self._give_back()
