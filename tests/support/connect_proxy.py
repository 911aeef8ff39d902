"""A small HTTP proxy on loopback that only tunnels (CONNECT), and misbehaves as a test tells it to."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import Self

_CONNECTED = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n"


class ConnectProxy:
    """Tunnels to wherever it is asked. `answer` in place of the usual one is sent as it is; `heads` is what it was asked.

    `tunnels`: whether it forwards anything after its answer, or closes at once. `is_mute`: it never answers.
    `tls`: the client speaks TLS with the proxy itself.
    """

    def __init__(
        self,
        answer: bytes = _CONNECTED,
        *,
        tunnels: bool = True,
        is_mute: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._answer, self._tunnels, self._is_mute, self._tls = answer, tunnels, is_mute, tls
        self.heads: list[bytes] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._is_over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def cut(self) -> None:
        """End all connections, of both sides."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _begin(self, what: object, *about: object) -> None:
        thread = threading.Thread(target=what, args=about)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            self._begin(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        if self._tls is not None:
            client = self._tls.wrap_socket(client, server_side=True)
        with client, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := client.recv(65_536)):
                    return
                head += more
            self.heads.append(head)
            if self._is_mute:
                self._is_over.wait(20)
                return
            client.sendall(self._answer)
            if self._tunnels and self._answer is _CONNECTED:
                host, _, port = head.split(b" ")[1].decode().rpartition(":")
                self._tunnel(client, (host, int(port)))

    def _tunnel(self, client: socket.socket, place: tuple[str, int]) -> None:
        with socket.create_connection(place) as server:
            self._open.append(server)
            back = threading.Thread(target=_pump, args=(server, client))
            back.start()
            _pump(client, server)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Forward until one side ends, and then end both."""
    with suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
    for side in (source, sink):
        with suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
