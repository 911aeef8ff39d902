"""The gateway's HTTP door: ThreadingHTTPServer, kept-alive connections, no log line per request."""

from __future__ import annotations

import os
import resource
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from .replies import Reply, error
from .scripts import Wire

MOST_BODY_BYTES = 65_536
# Several processes of a client may have a thousand calls under way each. Whoever is turned away can't know whether its
# request was read, so it has to take it for unknown.
MOST_CONNECTIONS = 4096
MOST_HEADERS = 64
MOST_LINE_BYTES = 8192
# Longer than a client keeps an idle connection, so that it closes first and never writes into a closed one.
IDLE_S = 120
# After these the caller can't know where the next answer on the connection would begin.
_BREAKING = frozenset({Wire.DROP, Wire.RESET, Wire.HALF, Wire.SHORT})


class Routes(Protocol):
    """What a wire format answers to requests."""

    def answer(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Reply:
        """The answer to one request; the names of `headers` are in lower case."""


class SandboxServer(ThreadingHTTPServer):
    """One thread a connection, at most MOST_CONNECTIONS of them; further ones are closed at once."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_CONNECTIONS
    routes: Routes

    def __init__(self, address: tuple[str, int]) -> None:
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        _allow_files(MOST_CONNECTIONS + 256)
        super().__init__(address, _Connection)

    @property
    def base_url(self) -> str:
        """Where it listens."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection on a thread of its own."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the place back when the connection ends."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the error, because it is a bug, unless the client has only hung up."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    server: SandboxServer
    raw_requestline: bytes
    fields: dict[str, str]
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, because a line for each request would cost more than the request."""

    def parse_request(self) -> bool:
        """HTTP/1.1 only. The inherited parser uses the email package: a fifth of what a charge costs here."""
        self.close_connection, self.command, self.requestline = True, "", ""
        self.request_version = self.protocol_version
        words = self.raw_requestline.decode("latin-1").split()
        if len(words) != 3 or words[2] != self.protocol_version:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return False
        self.command, self.path = words[:2]
        self.fields = {}
        for _ in range(MOST_HEADERS):
            line = self.rfile.readline(MOST_LINE_BYTES)
            if line in (b"\r\n", b"\n"):
                self.close_connection = self.fields.get("connection", "").lower() == "close"
                return True
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                break
            self.fields[name.lower()] = value.strip()
        self.send_error(HTTPStatus.BAD_REQUEST)
        return False

    def _serve(self) -> None:
        length = self.fields.get("content-length", "0")
        if "transfer-encoding" in self.fields or not length.isdecimal() or int(length) > MOST_BODY_BYTES:
            self.close_connection = True
            self._send(
                error(413, "body_too_large", f"at most {MOST_BODY_BYTES} bytes, with a Content-Length")
            )
            return
        raw = self.rfile.read(int(length))
        reply = self.server.routes.answer(self.command, self.path, self.fields, raw)
        if reply.after_s:
            time.sleep(reply.after_s)
        if reply.wire in _BREAKING:
            self.close_connection = True
        if reply.wire is Wire.RESET:
            self._reset()
        elif reply.wire is not Wire.DROP:
            self._send(reply)

    def _reset(self) -> None:
        """Close the connection with a TCP reset, as a load balancer that lost its backend does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _send(self, reply: Reply) -> None:
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(reply.body) // (2 if reply.wire is Wire.SHORT else 1)),
            "Date": _date(int(time.time())),
            **reply.headers,
        }
        body = reply.body[: len(reply.body) // 2] if reply.wire is Wire.HALF else reply.body
        if self.close_connection:
            headers["Connection"] = "close"
        head = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        # Head and body go out in one write. In two, the second would wait for the delayed acknowledgement of the first.
        self.wfile.write(head.encode("latin-1") + b"\r\n" + body)


@lru_cache(maxsize=4)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _allow_files(wanted: int) -> None:
    """Each connection is an open file, and many systems allow 1,024 of them by default."""
    least, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if least != resource.RLIM_INFINITY and least < wanted:
        allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
