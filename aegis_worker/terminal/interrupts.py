"""Ctrl-C for commands that work with threads."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def noted_interrupts() -> Iterator[Callable[[], None]]:
    """Within the block Ctrl-C is only noted; calling what this yields then raises KeyboardInterrupt.

    Python raises it anywhere by default, also where a thread that waited for others takes its lock again. The lock then
    stays free, and whoever gives it back is told "release unlocked lock". A second Ctrl-C is not noted but raised.
    """
    noted: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: object) -> None:
        noted.append(number)
        signal.signal(signal.SIGINT, before)

    def check() -> None:
        if noted:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
