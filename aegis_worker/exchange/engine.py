"""Makes all HTTP calls of a process side by side, on one libcurl multi handle and one thread (design D11).

    engine = Engine()
    result = engine.make(Transfer(peer, "GET", url, headers))          # waits
    engine.begin(Transfer(peer, "POST", url, headers, body), done)     # returns at once; `done(result)` comes later

`done` and the callbacks of `after` are called on the engine's thread, so they must not wait for anything; they may begin
transfers. A transfer that waits for its answer takes no thread.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

import structlog

from aegis_worker.domain.outcomes import Unknown

from .loop import Loop
from .transfers import Done, Result, Transfer

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Whoever waits for the engine waits so much longer than the engine itself may take: only a stuck thread takes that long.
MARGIN_S = 5.0
# What whoever waits is told then. The request may have left.
STUCK = Unknown("the engine does not answer")


class Engine:
    """All threads of a process may share one. It starts with the first transfer, and anew in a process that was forked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: Loop | None = None
        self._of_parent: Loop | None = None
        _engines.add(self)

    def begin(self, transfer: Transfer, done: Done) -> None:
        """Have the transfer made, and `done` called with its result. Raises ValueError for one that can't be written."""
        _check(transfer)
        self._running().begin(transfer, done)

    def make(self, transfer: Transfer) -> Result:
        """Make the transfer and wait for its result. Raises ValueError for one that can't be written."""
        peer = transfer.peer
        longest_s = peer.connect_timeout_s + peer.timeout_s
        result: Result = wait_for(partial(self.begin, transfer), longest_s, STUCK)
        return result

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back on the engine's thread, no sooner than this."""
        self._running().after(time.monotonic() + seconds, callback)

    def close_idle(self) -> None:
        """Close the kept connections, unless transfers are under way."""
        loop = self._loop
        if loop is not None and loop.stops_if_idle():
            self.close()

    def close(self) -> None:
        """Close the connections. Transfers under way end without an answer. A later one starts the engine anew."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()

    def forget_parent(self) -> None:
        """This process was forked. The parent's loop shares sockets with it, so it is kept and never touched: if it were
        freed, libcurl would say goodbye on connections that the parent uses.
        """
        self._lock = threading.Lock()
        self._of_parent, self._loop = self._loop or self._of_parent, None

    def _running(self) -> Loop:
        loop = self._loop
        if loop is not None and loop.is_alive:
            return loop
        with self._lock:
            if self._loop is None or not self._loop.is_alive:
                self._loop = Loop()
            return self._loop


def begun(begin: Callable[[Callable[[T], None]], None], longest_s: float, otherwise: T) -> Callable[[], T]:
    """Begin something; what is returned waits for what `begin(done)` gives to `done`, and must be called once.

    `longest_s`: how long it takes at most, by the bounds of its transfers. If the engine's thread is stuck, waiting ends
    5 s after that with `otherwise`. Never wait on the engine's own thread.
    """
    told: SimpleQueue[T] = SimpleQueue()
    give_up_at = time.monotonic() + longest_s + MARGIN_S
    begin(told.put)

    def wait() -> T:
        try:
            return told.get(timeout=max(give_up_at - time.monotonic(), 0.0))
        except Empty:
            log.error("the engine's thread does not answer")
            return otherwise

    return wait


def wait_for(begin: Callable[[Callable[[T], None]], None], longest_s: float, otherwise: T) -> T:
    """What `begin(done)` gives to `done`; the rest is as with `begun`. Never call this on the engine's own thread."""
    return begun(begin, longest_s, otherwise)()


def _check(transfer: Transfer) -> None:
    """Raises ValueError for what would not be one request any more, such as a line break in a header."""
    headers = transfer.headers
    written = "".join((transfer.method, transfer.url, *headers, *headers.values()))
    if not (written.isascii() and written.isprintable()):
        raise ValueError("a method, URL or header holds what is not printable ASCII")


_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def _after_fork() -> None:
    for engine in list(_engines):
        engine.forget_parent()


def _at_exit() -> None:
    for engine in list(_engines):
        engine.close()


# The engine of this process. It costs nothing until its first transfer.
ENGINE = Engine()

os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
