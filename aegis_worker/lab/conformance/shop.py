"""Where the webhooks of emulated gateways arrive: a server on loopback that keeps them all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# A sender keeps a connection as long as the tests take.
_IDLE_S = 60


@dataclass(frozen=True, slots=True)
class Arrived:
    """One webhook. `headers` are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Shop:
    """Takes what comes with 204, except what a test wants to come again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._arrived: list[Arrived] = []
        self._refusals: Counter[str] = Counter()

    def url(self, path: str) -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self._port}{path}"

    def at(self, path: str) -> list[Arrived]:
        """What has come there, in the order in which it came."""
        return [one for one in self._arrived if one.path == path]

    def refuse_next(self, path: str) -> None:
        """Answer the next webhook there with 500."""
        self._refusals[path] += 1

    def take(self, arrived: Arrived) -> int:
        """Keep it; the status that it is answered with."""
        self._arrived.append(arrived)
        if self._refusals[arrived.path]:
            self._refusals[arrived.path] -= 1
            return 500
        return 204


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    shop: Shop

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a sender that went away."""


class _Webhook(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send_response(self.server.shop.take(Arrived(self.path, headers, body)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@contextmanager
def open_shop() -> Iterator[Shop]:
    """A shop on a free port, closed at the end."""
    server = _Server(("127.0.0.1", 0), _Webhook)
    server.shop = Shop(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.shop
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
