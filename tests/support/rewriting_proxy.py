"""An HTTP proxy in front of a gateway that rewrites its answers, as a broken cache, proxy or gateway would."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Exchange:
    """One request, and the gateway's answer to it."""

    method: str
    path: str
    request: bytes
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_look_up(self) -> bool:
        return self.method == "GET" and self.path.startswith("/v1/")

    @property
    def moves_money(self) -> bool:
        return self.method == "POST" and self.path.startswith("/v1/")


Rewrite = Callable[[Exchange], tuple[int, bytes]]


def untouched(exchange: Exchange) -> tuple[int, bytes]:
    """The answer as the gateway gave it."""
    return exchange.status, exchange.body


@dataclass
class RewritingProxy:
    """Forwards every request; `rewrite` makes the answer that goes back. `path` may change a request's path."""

    url: str = ""
    rewrite: Rewrite = untouched
    path: Callable[[str, str], str] = field(default=lambda method, path: path)
    seen: list[Exchange] = field(default_factory=list)

    def heal(self) -> None:
        """Pass on the gateway's own answers from now on."""
        self.rewrite, self.path = untouched, lambda method, path: path


def as_bytes(document: object) -> bytes:
    return json.dumps(document).encode()


@contextmanager
def rewriting_proxy(target: str) -> Iterator[RewritingProxy]:
    """A proxy in front of the gateway at `target`, on a port of its own."""
    proxy, server_of = RewritingProxy(), urlsplit(target)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection = http.client.HTTPConnection(
                server_of.hostname or "", server_of.port, timeout=TIMEOUT_S
            )
            try:
                connection.request(self.command, proxy.path(self.command, self.path), raw or None, headers)
                answer = connection.getresponse()
                exchange = Exchange(self.command, self.path, raw, answer.status, answer.read())
            except (http.client.HTTPException, OSError):
                self.close_connection = True  # as the gateway did
                return
            finally:
                connection.close()
            proxy.seen.append(exchange)
            status, body = proxy.rewrite(exchange)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _pass_on

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
