"""The processes that hooks run in, and how many there are: one more than are busy, up to a bound."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable

import structlog

from .process import HookProcess

log = structlog.get_logger(__name__)

_S = 1_000_000_000
_LONGEST_PAUSE_NS = 30 * _S

Start = Callable[[int], HookProcess]


class Fleet:
    """Used by one thread. `start` makes a process; at most `most` may be asked at once, and one more stands by: for the
    next question, or for a process that has to be ended. `selector` hears of them all.

    `on_failed` is told why a process could not be started, or did not load the hooks; the next is then started later.
    """

    def __init__(
        self,
        start: Start,
        selector: selectors.BaseSelector,
        *,
        most: int,
        load_within_ns: int,
        on_failed: Callable[[str], None],
    ) -> None:
        self._start, self._selector, self._most = start, selector, most
        self._load_within_ns, self._on_failed = load_within_ns, on_failed
        self._ended: list[HookProcess] = []
        self._failed, self._start_at_ns = 0, 0
        self.processes: list[HookProcess] = []

    def has_loaded(self, process: HookProcess) -> None:
        """A process is ready to be asked."""
        process.is_ready, self._failed = True, 0

    def idle(self) -> list[HookProcess]:
        """Those that may be sent something now."""
        ready = [process for process in self.processes if process.is_ready]
        idle = [process for process in ready if not process.in_flight]
        return idle[: max(0, self._most - (len(ready) - len(idle)))]

    def suspects(self) -> int:
        """In how many a hook runs that may well hang."""
        return sum(bool(process.in_flight) and process.has_suspect for process in self.processes)

    def due(self) -> list[int]:
        """When something has to be done, though none of them says anything (CLOCK_MONOTONIC)."""
        dues = [process.look_at_ns for process in self.processes if process.is_looked_at]
        if self._lacks_one():
            dues.append(self._start_at_ns)
        if self._ended:
            dues.append(time.monotonic_ns() + _S)
        return dues

    def watch(self, process: HookProcess) -> None:
        """Hear of it when it says something, and, while something waits to be sent to it, when that can be."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if process.wants_to_write else 0)
        if self._selector.get_key(process.socket).events != events:
            self._selector.modify(process.socket, events, process)

    def keep_up(self, now_ns: int) -> None:
        """Start one where one is lacking."""
        self._ended = [process for process in self._ended if not process.has_ended()]
        if not self._lacks_one() or now_ns < self._start_at_ns:
            return
        try:
            process = self._start(now_ns)
        except OSError as error:
            self._pause(f"{type(error).__name__}: {error.strerror}")
            return
        process.look_at_ns = now_ns + self._load_within_ns
        self.processes.append(process)
        self._selector.register(process.socket, selectors.EVENT_READ, process)
        self.watch(process)

    def failed_to_load(self, process: HookProcess, why: str) -> None:
        """One did not get as far as to be asked."""
        self.end(process)
        self._pause(why)

    def is_slow(self, process: HookProcess) -> None:
        """One takes too long to load the hooks."""
        self.failed_to_load(process, f"hooks take longer than {self._load_within_ns // 1_000_000} ms to load")

    def end(self, process: HookProcess) -> None:
        """End a process at once."""
        self._selector.unregister(process.socket)
        self.processes.remove(process)
        process.kill()
        self._ended.append(process)

    def end_all(self) -> None:
        """End them all, and wait for that as long as it may take a killed process to go."""
        for process in list(self.processes):
            self.end(process)
        until = time.monotonic() + 1
        while self._ended and time.monotonic() < until:
            self._ended = [process for process in self._ended if not process.has_ended()]
            time.sleep(0.001)

    def _lacks_one(self) -> bool:
        busy = sum(bool(process.in_flight) for process in self.processes)
        return len(self.processes) < min(busy, self._most) + 1

    def _pause(self, why: str) -> None:
        pause_ns = min(_S << min(self._failed, 5), _LONGEST_PAUSE_NS)
        self._failed += 1
        self._start_at_ns = time.monotonic_ns() + pause_ns
        log.error("no process for hooks could be started", reason=why, retry_in_s=pause_ns // _S)
        self._on_failed(why)
