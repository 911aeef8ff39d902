"""A page of memory that a process which asks hooks shares with one that they run in: which hook is running, and since when.

A hook that hangs can't be asked where it is, so its process writes that down before each hook begins. A message would wake
the other side each time, though it is looked at only where an answer is overdue; a write to memory costs next to nothing.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import tempfile
from typing import NamedTuple

_SIZE = mmap.PAGESIZE
_RUNNING, _TAKEN_BACK = struct.Struct("<QQQ"), struct.Struct("<QQ")
_PLACE_OF_RUNNING, _PLACE_OF_TAKEN_BACK = 0, 64


class Running(NamedTuple):
    """What a process is doing. `ask`: the number of the ask; `hook`: its place among the ask's hooks.

    `since_ns`: when the hook began (CLOCK_MONOTONIC); 0: none is running.
    """

    ask: int
    hook: int
    since_ns: int


class Page:
    """The page, in either process."""

    def __init__(self, fd: int) -> None:
        self._memory = mmap.mmap(fd, _SIZE)

    @staticmethod
    def new_file() -> int:
        """A file for a page, open; it has no name, and is gone with the last who has it open."""
        if sys.platform == "linux":
            fd = os.memfd_create("aegis-hooks")
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, _SIZE)
        return fd

    def close(self) -> None:
        """Let go of the page."""
        self._memory.close()

    def begin(self, ask: int, hook: int, since_ns: int) -> None:
        """A hook begins."""
        _RUNNING.pack_into(self._memory, _PLACE_OF_RUNNING, ask, hook, since_ns)

    def end(self) -> None:
        """No hook is running."""
        _RUNNING.pack_into(self._memory, _PLACE_OF_RUNNING, 0, 0, 0)

    def running(self) -> Running:
        """What is running. Read again until two reads agree, because the other process may be writing."""
        seen = _RUNNING.unpack_from(self._memory, _PLACE_OF_RUNNING)
        while seen != (again := _RUNNING.unpack_from(self._memory, _PLACE_OF_RUNNING)):
            seen = again
        return Running(*seen)

    def take_back(self, first: int, last: int) -> None:
        """Have the process skip these asks. It remembers the latest call only: earlier asks are behind it by now."""
        _TAKEN_BACK.pack_into(self._memory, _PLACE_OF_TAKEN_BACK, first, last)

    def is_taken_back(self, number: int) -> bool:
        """Whether the ask is not to be begun."""
        first, last = _TAKEN_BACK.unpack_from(self._memory, _PLACE_OF_TAKEN_BACK)
        return bool(first <= number <= last)
