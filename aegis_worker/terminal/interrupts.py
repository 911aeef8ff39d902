"""Ctrl-C and other signals, for commands that work with threads."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
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


@contextmanager
def event_on_signals(numbers: Collection[signal.Signals], *, once: bool = False) -> Iterator[threading.Event]:
    """An event that these signals set, for the whole of the block. `once`: the second signal has its effect of before.

    A signal may interrupt the thread that begins to wait for the event and holds the event's lock: whoever sets the event
    there waits for that lock for ever. So the handler only writes a byte, and a thread that reads it sets the event.
    """
    event = threading.Event()
    reading, writing = os.pipe()
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: object) -> None:
        os.write(writing, b"!")
        if once:
            restore()

    def pass_on() -> None:
        while os.read(reading, 1):
            event.set()

    listener = threading.Thread(target=pass_on, name="signals", daemon=True)
    listener.start()
    for number in numbers:
        signal.signal(number, note)
    try:
        yield event
    finally:
        restore()
        os.close(writing)
        listener.join()
        os.close(reading)
