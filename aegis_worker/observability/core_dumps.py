"""Keeps this process's memory out of core dumps, which would hold the cards that it has open (design D8)."""

from __future__ import annotations

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def never_dump() -> None:
    """Write no core dump of this process and of those that it forks, whatever the system's settings say.

    On Linux the process is also no longer dumpable: a core pattern that pipes into a program would otherwise get a dump
    in spite of the limit, and no other process of the same user may read its memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
