"""A turn among the processes of one worker: what one of them does, the others needn't do beside it."""

from __future__ import annotations

import fcntl
import tempfile


class Turn:
    """The turn among the processes that are forked from the one that makes it. It ends when its process does.

    A lock of the kernel on a file without a name: nothing has to expire or be cleaned up after a process is killed.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the processes live)

    def take(self) -> bool:
        """Take the turn if it is free; returns whether this process has it now. Never waits."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def give_back(self) -> None:
        """Let another process have it."""
        fcntl.lockf(self._file, fcntl.LOCK_UN)
