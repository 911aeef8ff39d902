"""HTTP/1.1 connections that go to a checked address and whose every wait is bounded.

http.client and not a library on top of it: the connection has to go to the address that was checked (a name that
resolves to something else a moment later must not matter), and an endpoint that drips its answer byte by byte must not
hold a thread for longer than one that is silent.
"""

from __future__ import annotations

import http.client
import math
import socket
import ssl
import time
from typing import Any

from .addresses import Target

# A name is resolved and checked again at least this often.
_LONGEST_LIFE_S = 300.0


class TimedSocket(socket.socket):
    """A socket whose reads together end at `deadline`; a plain socket's timeout starts again with every read."""

    deadline = math.inf

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """As the base, with the time that is left. Raises TimeoutError."""
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left_s)
        return super().recv_into(*args, **kwargs)


class TimedTlsSocket(TimedSocket, ssl.SSLSocket):
    """The same over TLS."""


class Connection(http.client.HTTPConnection):
    """A connection to one of the given addresses that still says the host's name, in `Host` and in TLS."""

    def __init__(
        self, server: Target, addresses: list[tuple[int, str]], connect_timeout_s: float, tls: ssl.SSLContext
    ) -> None:
        super().__init__(server.host, server.port)
        self.default_port = 443 if server.scheme == "https" else 80
        self.retire_at = time.monotonic() + _LONGEST_LIFE_S
        self._scheme = server.scheme
        self._addresses = addresses
        self._connect_timeout_s = connect_timeout_s
        self._tls = tls
        self._unsent: list[bytes] = []

    def send(self, data: Any) -> None:
        """Keep it for `flush`: http.client would send headers and body apart, as two packets."""
        self._unsent.append(data)

    def flush(self) -> None:
        """Send what is kept, at once."""
        unsent, self._unsent = b"".join(self._unsent), []
        self.sock.sendall(unsent)

    def connect(self) -> None:
        """Connect to the first address that answers, each given its share of the timeout."""
        deadline = time.monotonic() + self._connect_timeout_s
        for left in range(len(self._addresses), 0, -1):
            family, address = self._addresses[-left]
            try:
                self.sock = self._reach(family, address, (deadline - time.monotonic()) / left)
                return
            except OSError:
                if left == 1:
                    raise

    def limit(self, timeout_s: float) -> None:
        """Sending and reading from now on end after `timeout_s`."""
        timed: Any = self.sock  # a TimedSocket, maybe over TLS
        timed.settimeout(timeout_s)
        timed.deadline = time.monotonic() + timeout_s

    def _reach(self, family: int, address: str, timeout_s: float) -> socket.socket:
        connection: socket.socket = TimedSocket(family, socket.SOCK_STREAM)
        deadline = time.monotonic() + timeout_s
        try:
            connection.settimeout(max(timeout_s, 0.001))
            connection.connect((address, self.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._scheme == "https":
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                connection = self._tls.wrap_socket(connection, server_hostname=self.host)
        except BaseException:
            connection.close()
            raise
        return connection
