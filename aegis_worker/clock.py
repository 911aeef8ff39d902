"""The clock that this process judges leases, keys and waits by: one that goes on while the process or its machine sleeps.

It is not the time of day, because that is set forward and back. Readings can be compared within one machine only. Between
machines PostgreSQL's clock counts; its times are converted to this clock when they are read (`persistence.claims`).
"""

from __future__ import annotations

import time
from collections.abc import Callable


def _clock() -> int:
    """On Linux CLOCK_MONOTONIC stops while the machine sleeps and CLOCK_BOOTTIME does not. Where there is none, on macOS,
    clock_gettime's CLOCK_MONOTONIC itself goes on.
    """
    boottime: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    if boottime is not None:
        try:
            time.clock_gettime(boottime)
        except OSError:  # Python knows the clock, and this kernel doesn't
            boottime = None
    return time.CLOCK_MONOTONIC if boottime is None else boottime


_CLOCK = _clock()
_offset_s: Callable[[], float] | None = None


def clock_s() -> float:
    """Seconds since some moment before this process began."""
    if _offset_s is not None:
        return time.clock_gettime(_CLOCK) + _offset_s()
    return time.clock_gettime(_CLOCK)


def put_off(offset_s: Callable[[], float] | None) -> None:
    """Have this process's clock be wrong by so much, for who tries out what comes of that; None: right again."""
    global _offset_s
    _offset_s = offset_s
