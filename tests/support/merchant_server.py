"""A merchant's web server on loopback. It answers as scripted and remembers the requests."""

from __future__ import annotations

import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request. `headers` are in lower case; `connection` tells kept-alive connections apart."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[[BaseHTTPRequestHandler], None]


def answers(status: int, body: bytes = b"", **headers: str) -> Script:
    """Answer with this. Underscores in the names of headers become hyphens."""

    def script(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return script


class Sink:
    """Takes the answers in `scripts[path]` one after another. Then, and for other paths, `otherwise` answers."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.scripts: defaultdict[str, list[Script]] = defaultdict(list)
        self.otherwise: dict[str, Script] = {}
        self.released = threading.Event()
        self.asked = threading.Condition()
        self.port = 0

    def url(self, path: str = "/hooks", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def at(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path == path]

    def hangs(self, request: BaseHTTPRequestHandler) -> None:
        """Say nothing until the test is over."""
        self.released.wait()
        request.close_connection = True

    def drips(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a byte at a time, and never end."""
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.released.wait(0.02):
            request.wfile.write(b"x")
        request.close_connection = True

    def drops(self, request: BaseHTTPRequestHandler) -> None:
        """Close the connection without an answer."""
        request.close_connection = True

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self.asked:
            self.received.append(Received(request.path, headers, body, request.client_address[1]))
            script = self.scripts[request.path].pop(0) if self.scripts[request.path] else None
            self.asked.notify_all()
        (script or self.otherwise.get(request.path) or answers(204))(request)

    def wait_for(self, count: int) -> None:
        """Wait until `count` requests have come."""
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.received) >= count, timeout=30)


@contextmanager
def a_sink(tls: ssl.SSLContext | None = None) -> Iterator[Sink]:
    """A sink that listens on a free port."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            sink.take(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Write nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore a client that went away."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    sink.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield sink
    finally:
        sink.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
