"""A server that counts the requests it has read, and misbehaves as a test tells it to; plain or with TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import h2.exceptions

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Accepts connections, and gives each to `serve`, with what it has counted so far."""

    def __init__(
        self,
        serve: Callable[[socket.socket, Server], object],
        tls: ssl.SSLContext | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self._serve, self._tls = serve, tls
        self.requests: list[str] = []
        self.connections = 0
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(
            (address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=64
        )
        self._threads = [threading.Thread(target=self._accept)]
        scheme = "https" if tls else "http"
        host = f"[{address}]" if ":" in address else address
        self.port = int(self._listener.getsockname()[1])
        self.url = f"{scheme}://{host}:{self.port}"
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(20)
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._one, args=(connection,)))
            self._threads[-1].start()

    def _one(self, connection: socket.socket) -> None:
        self.connections += 1
        with suppress(OSError, h2.exceptions.ProtocolError), connection:
            if self._tls is None:
                self._serve(connection, self)
                return
            with self._tls.wrap_socket(connection, server_side=True) as secured:
                self._open.append(secured)
                if not self._closing.is_set():
                    self._serve(secured, self)

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()


@contextmanager
def serving(
    serve: Callable[[socket.socket, Server], object],
    tls: ssl.SSLContext | None = None,
    address: str = "127.0.0.1",
) -> Iterator[Server]:
    """A `Server` until the end of the block."""
    server = Server(serve, tls, address)
    try:
        yield server
    finally:
        server.close()


def read_one(connection: socket.socket, server: Server) -> bool:
    """Read one request with its body; whether there was one."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65_536)
        if not more:
            return False
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65_536)
    server.requests.append(head.split(b" ", 2)[0].decode())
    return True
