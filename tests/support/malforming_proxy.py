"""An HTTP proxy in front of a gateway. It passes each answer to a form, a function that writes to the client."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 20.0
# Longer than any client of a test waits, but short enough that a client without a deadline does not hang a test.
LONGEST_S = 12.0


@dataclass(frozen=True)
class Honest:
    """What the gateway answered.

    `before`: its answer to the previous request, on any connection. `stranger`: its answer to the same kind of request
    about another payment.
    """

    method: str
    status: int
    body: bytes
    before: bytes
    stranger: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_look_up(self) -> bool:
        return self.method == "GET"

    def head(self, *fields: str, status: int | None = None) -> bytes:
        """A head without a length."""
        lines = [f"HTTP/1.1 {status or self.status} Said", "Content-Type: application/json", *fields]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def raw(self, body: bytes | None = None, *fields: str, status: int | None = None) -> bytes:
        """A whole answer."""
        body = self.body if body is None else body
        return self.head(f"Content-Length: {len(body)}", *fields, status=status) + body


class Wire:
    """The connection to the client. Once the client has gone, sending fails silently and `is_open` is False."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self._connection, self._over = connection, over
        self.is_open = True

    def send(self, data: bytes) -> None:
        try:
            self._connection.sendall(data)
        except OSError:
            self.is_open = False

    def drip(self, data: bytes, every_s: float = 0.05) -> None:
        """Send byte by byte, then the first byte again and again, until the client goes or LONGEST_S have passed."""
        for drop in data:
            self._drop(bytes([drop]), every_s)
            if not self.is_open:
                return

    def repeat(self, data: bytes, every_s: float = 0.05) -> None:
        """Send again and again until the client goes or LONGEST_S have passed."""
        give_up_at = time.monotonic() + LONGEST_S
        while self.is_open and time.monotonic() < give_up_at:
            self._drop(data, every_s)

    def wait(self, seconds: float) -> None:
        self._over.wait(seconds)

    def end(self, *, reset: bool = False) -> None:
        """Close the connection from this side."""
        if reset:
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.is_open = False

    def _drop(self, data: bytes, every_s: float) -> None:
        if every_s and self._over.wait(every_s):
            self.is_open = False
        elif self.is_open:
            self.send(data)


Form = Callable[[Honest, Wire], None]


def honest(answer: Honest, wire: Wire) -> None:
    """Send the answer as the gateway gave it."""
    wire.send(answer.raw())


@dataclass
class MalformingProxy:
    """Listens on loopback. `form` writes the answers to paths under /v1/; `stranger` is another payment to show."""

    url: str
    form: Form = honest
    stranger: dict[str, Any] = field(default_factory=dict)
    before: bytes = b"{}"
    over: threading.Event = field(default_factory=threading.Event)

    def heal(self) -> None:
        self.form = honest

    def answer(self, connection: socket.socket, upstream: str) -> None:
        """Serve one connection until either side ends it."""
        wire = Wire(connection, self.over)
        incoming = connection.makefile("rb")
        while wire.is_open and not self.over.is_set():
            request = _read_request(incoming)
            if request is None:
                return
            method, path, headers, body = request
            status, said = _forwarded(upstream, method, path, headers, body)
            listed = {"data": [self.stranger]} if "?" in path else self.stranger
            answer = Honest(method, status, said, self.before, json.dumps(listed).encode())
            self.before = said
            self.form(answer, wire)


@contextmanager
def malforming_proxy(upstream: str) -> Iterator[MalformingProxy]:
    """A proxy in front of the gateway at this URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        proxy = MalformingProxy(f"http://127.0.0.1:{listener.getsockname()[1]}")
        threads: list[threading.Thread] = []

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                proxy.answer(connection, upstream)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(TIMEOUT_S)
                threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield proxy
        finally:
            proxy.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _read_request(incoming: Any) -> tuple[str, str, dict[str, str], bytes] | None:
    line = incoming.readline()
    if not line:
        return None
    method, path, _ = line.decode().split(" ", 2)
    headers = {}
    while (field_line := incoming.readline().decode().strip()) != "":
        name, _, value = field_line.partition(":")
        headers[name.strip()] = value.strip()
    lengths = [int(value) for name, value in headers.items() if name.lower() == "content-length"]
    return method, path, headers, incoming.read(lengths[0]) if lengths else b""


def _forwarded(
    upstream: str, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, bytes]:
    target = urlsplit(upstream)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=TIMEOUT_S)
    kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")}
    try:
        connection.request(method, path, body or None, kept)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
