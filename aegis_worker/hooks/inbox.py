"""Where questions arrive from other threads; it wakes the thread that waits for them, once for as many as there are."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from .asked import Asked
from .waiting import MOST


class Inbox:
    """Any thread puts; one takes. `socket`: readable when something has arrived, or the inbox was closed."""

    def __init__(self) -> None:
        self._bell, self.socket = socket.socketpair()
        for end in (self._bell, self.socket):
            end.setblocking(False)
        self._lock = threading.Lock()
        self._arrived: list[Asked] = []
        self._has_rung = False
        self.is_closed = False

    def put(self, asked: Asked) -> bool:
        """Whether it is taken: not by a closed inbox, nor by one that overflows."""
        with self._lock:
            if self.is_closed or len(self._arrived) >= MOST:
                return False
            self._arrived.append(asked)
            rings, self._has_rung = not self._has_rung, True
        if rings:
            self._ring()
        return True

    def take(self) -> list[Asked]:
        """All that have arrived."""
        with suppress(BlockingIOError):
            self.socket.recv(4096)
        with self._lock:
            arrived, self._arrived, self._has_rung = self._arrived, [], False
        return arrived

    def close(self) -> None:
        """Take nothing more."""
        with self._lock:
            self.is_closed = True
        self._ring()

    def close_sockets(self) -> None:
        """Close both sockets. Only the thread that takes may call this, after its last take."""
        self._bell.close()
        self.socket.close()

    def _ring(self) -> None:
        with suppress(OSError):  # wake-ups fill the socket already, or the thread that takes has ended
            self._bell.send(b"\0")
