"""One HTTP/1.1 connection of the load, with little between the socket and the bytes."""

from __future__ import annotations

import re
import socket

# Longer than any answer that the API gives late on purpose; what exceeds it is an error.
PATIENCE_S = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class Broken(Exception):
    """The connection ended before the answer did."""


class Line:
    """One connection and the request that is under way on it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._request, self._got, self._needed = b"", b"", 0
        self._used = False
        self.opened = 0
        self.due = 0.0
        self.sent = 0.0

    @property
    def socket(self) -> socket.socket:
        """The connection's socket, while a request is under way."""
        assert self._socket is not None
        return self._socket

    def send(self, request: bytes) -> None:
        """Send it, on the connection that is open or on a new one. Raises OSError."""
        self._request, self._got, self._needed = request, b"", 0
        if self._socket is None:
            self._connect()
        try:
            self.socket.sendall(request)
        except OSError:
            self._again()

    def receive(self) -> tuple[int, bytes] | None:
        """Take what has come; the status and body once they are whole. Raises Broken or OSError."""
        try:
            piece = self.socket.recv(65536)
        except ConnectionError:
            piece = b""
        if not piece:
            if self._got or not self._used:
                raise Broken("the connection was closed before the answer ended")
            # The server closed the idle connection just when this request was sent, so it saw nothing of it: send it again.
            self._again()
            return None
        self._got += piece
        if not self._needed:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = _LENGTH.search(self._got, 0, end)
            self._needed = end + 4 + (int(length.group(1)) if length else 0)
        if len(self._got) < self._needed:
            return None
        return self._whole()

    def close(self) -> None:
        """Drop the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._used = None, False

    def _whole(self) -> tuple[int, bytes]:
        end = self._got.index(b"\r\n\r\n")
        status, body = int(self._got[9:12]), self._got[end + 4 : self._needed]
        if _CLOSES.search(self._got, 0, end):
            self.close()
        else:
            self._used = True
        return status, body

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.opened += 1

    def _again(self) -> None:
        self.close()
        self._connect()
        self.socket.sendall(self._request)
