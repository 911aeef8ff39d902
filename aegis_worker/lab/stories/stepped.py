"""A worker that halts between any two effects, and goes on when it is told to: the product's own `run` on a thread.

It halts where a process could be told to die (`crash_points`), and in between the last look at the clock and the first byte
of a call. One thread runs at a time: the story's, or one worker's. A worker that dies is left where it halts: nothing of it
runs any more, as after SIGKILL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aegis_worker.crash_points import told_of_each_point

# Not these: a transaction is open there, and its locks would keep the other worker waiting.
_INSIDE_TRANSACTIONS = frozenset({"attempt.written", "outcome.written", "dispute.written"})
_BOUND_S = 30.0


class WorkerStuck(Exception):
    """A worker has not come to its next halt within 30 s."""


class SteppedWorker:
    """One worker. `at`: the point at which it halts, None before it has begun; `over`: its run has ended."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self.at: str | None = None
        self.over = False
        self.failed: BaseException | None = None
        self._work = work
        self._may_go, self._has_halted = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)

    def step(self) -> str | None:
        """Let it go on to its next halt; the point's name, or None where its run has ended.

        Raises what ended it, if that was an error; WorkerStuck if it never comes there.
        """
        if self.over:
            return None
        if not self._thread.is_alive():
            self._thread.start()
        self._may_go.release()
        if not self._has_halted.acquire(timeout=_BOUND_S):
            raise WorkerStuck(f"{self.name} did not get from {self.at} to its next halt")
        if self.failed is not None:
            raise self.failed
        return self.at

    def until(self, *points: str) -> str | None:
        """Let it go on until it halts at one of these points, or its run ends; the point's name, or None."""
        while (at := self.step()) is not None and at not in points:
            pass
        return at

    def halt(self, point: str) -> None:
        """Called on its own thread: wait to be told to go on."""
        self.at = point
        self._has_halted.release()
        self._may_go.acquire()

    @property
    def is_here(self) -> bool:
        """Whether this is its thread."""
        return threading.current_thread() is self._thread

    def _live(self) -> None:
        self._may_go.acquire()
        try:
            self._work()
        except BaseException as error:
            self.failed = error
        self.at, self.over = None, True
        self._has_halted.release()


class Halts:
    """The workers of a story, and where the one whose thread this is has to halt."""

    def __init__(self) -> None:
        self._workers: list[SteppedWorker] = []

    def worker(self, name: str, work: Callable[[], None]) -> SteppedWorker:
        """A worker that has not begun."""
        worker = SteppedWorker(name, work)
        self._workers.append(worker)
        return worker

    def come_by(self, point: str) -> None:
        """Halt here, if this is a worker's thread and no transaction is open."""
        if point in _INSIDE_TRANSACTIONS:
            return
        for worker in self._workers:
            if worker.is_here:
                worker.halt(point)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Within it workers halt at the product's crash points."""
        with told_of_each_point(self.come_by):
            yield
