"""Which of libcurl's kept connections are silent, as they must be before the next request.

HTTP/1.1 answers carry no number: only their order tells which request they belong to. libcurl (8.23) looks at its idle
connections once a second, so for a second it takes bytes that arrived on one for the answer to whatever it sends there
next. So the engine looks itself, just before each request. One case can't be seen here: an answer to something else that
arrives after this look and before the server reads the request. Callers that ask about money must therefore also find in
the answer what they asked about.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from contextlib import suppress

# Our address and port: libcurl names a connection to its callbacks by them.
Ends = tuple[str, int]


class Connection:
    """One connection, and how many requests are under way on it."""

    __slots__ = ("_poll", "ends", "fd", "has_carried", "users")

    def __init__(self, ends: Ends, fd: int) -> None:
        self.ends, self.fd, self.users, self.has_carried = ends, fd, 0, False
        self._poll = select.poll()  # select() can't watch file descriptors above 1023
        self._poll.register(fd, select.POLLIN)

    def is_silent(self) -> bool:
        """Whether the server has sent nothing unasked, not even the end of the connection."""
        return not self._poll.poll(0)


class Connections:
    """The connections of one libcurl multi handle, by their ends and by their sockets. Not more than there were sockets."""

    def __init__(self) -> None:
        self._by_ends: dict[Ends, Connection] = {}
        self._by_fd: dict[int, Connection] = {}

    def may_carry(self, ends: Ends, opened: Sequence[int], *, is_tls: bool) -> bool:
        """Whether a request may go over this connection now. `opened`: the sockets that its transfer has opened.

        A connection that carries other requests meanwhile speaks HTTP/2, whose answers have numbers. A new one with TLS is
        not looked at, because the server sends its session tickets (RFC 8446, 4.6.1) unasked.
        """
        if opened:
            self._learn(ends, opened)
        connection = self._by_ends.get(ends)
        if connection is None:
            return False
        is_new = not connection.has_carried
        return (is_tls and is_new) or connection.users > 0 or connection.is_silent()

    def begin(self, ends: Ends) -> Connection:
        """A request goes over it. Give `end` what is returned: by then another connection may have these ends, or none."""
        connection = self._by_ends[ends]
        connection.users += 1
        connection.has_carried = True
        return connection

    def end(self, connection: Connection) -> None:
        """Its transfer has ended."""
        connection.users -= 1

    def _learn(self, ends: Ends, opened: Sequence[int]) -> None:
        for fd in opened:
            if _own_end(fd) != ends:
                continue
            # An earlier connection with this number or these ends has been closed.
            if (earlier := self._by_fd.get(fd)) is not None and self._by_ends.get(earlier.ends) is earlier:
                del self._by_ends[earlier.ends]
            self._by_ends[ends] = self._by_fd[fd] = Connection(ends, fd)


def _own_end(fd: int) -> Ends | None:
    with suppress(OSError):
        borrowed = socket.socket(fileno=fd)
        try:
            name = borrowed.getsockname()
            return str(name[0]), int(name[1])
        finally:
            borrowed.detach()
    return None
