"""Resolving names on threads of their own, because the system's resolver knows no time limit."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

Addresses = tuple[str, ...]

_MOST_AT_ONCE = 256
_MOST_KNOWN = 1024
# A name is resolved and checked again after this long, and after every post that got no answer.
_KNOWN_FOR_S = 60.0


class Names:
    """What names resolve to. Safe to share between threads; nobody waits here for an answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._known: dict[tuple[str, int], tuple[Addresses, float]] = {}

    def known(self, host: str, port: int) -> Addresses | None:
        """The addresses of this host, unless they are unknown or too old."""
        addresses, until = self._known.get((host, port), ((), 0.0))
        return addresses if time.monotonic() < until else None

    def forget(self, host: str, port: int) -> None:
        """Resolve the name again before its next use."""
        self._known.pop((host, port), None)

    def ask(
        self,
        host: str,
        port: int,
        question: Callable[[], Addresses],
        told: Callable[[Addresses | Exception], None],
    ) -> None:
        """Tell, on another thread, what `question()` finds or raises. At most 256 questions are asked at once."""
        with self._lock:
            self._waiting.append(partial(self._ask, host, port, question, told))
            if self._threads >= _MOST_AT_ONCE:
                return
            self._threads += 1
        threading.Thread(target=self._work, name="resolver", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                ask = self._waiting.popleft()
            ask()

    def _ask(
        self,
        host: str,
        port: int,
        question: Callable[[], Addresses],
        told: Callable[[Addresses | Exception], None],
    ) -> None:
        found: Addresses | Exception
        try:
            found = question()
        except Exception as error:
            found = error
        else:
            with self._lock:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[host, port] = found, time.monotonic() + _KNOWN_FOR_S
        told(found)
