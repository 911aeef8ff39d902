"""A connection that carries one exchange after another, as long as the server sends only what it was asked for.

HTTP/1.1 answers carry no number: only their order tells which request they belong to. So any bytes that arrive before a
request, or are left over after an answer, end the connection. One case can't be seen here: an answer to something else
that arrives after the check before a request and before the server reads that request. Callers that ask about money must
therefore also find in the answer what they asked about.
"""

from __future__ import annotations

import http.client
import math
import select
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import h11

MAX_HEAD_BYTES = 65_536
# The most interim answers (100, 102, 103 …) that are read before the answer itself. A proxy sends one or two.
MAX_INTERIM = 64
_CHUNK_BYTES = 16_384


class MalformedAnswer(http.client.HTTPException):
    """The bytes are no HTTP/1 answer, or one that two readers would read differently. The message says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. The names of `headers` are in lower case. `whole` is False if the body was longer than allowed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool = True


class Connection:
    """For one thread at a time. Every wait ends at the call's `deadline` (monotonic), even if bytes keep coming.

    `received`: bytes received since the last request began. `is_reusable`: its answer ended where it should.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.received = 0
        self.is_reusable = False

    def is_quiet(self) -> bool:
        """Whether the server has sent nothing unasked, not even the end of the connection."""
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return False
        poll = select.poll()  # select() can't watch file descriptors above 1023
        poll.register(self._sock, select.POLLIN)
        return not poll.poll(0)

    def exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        deadline: float,
        max_body_bytes: int,
    ) -> Reply:
        """Send one request, once, and read its answer. After an exception the caller has to close the connection.

        Raises TimeoutError, OSError (also if the connection ends in place of an answer), and MalformedAnswer.
        """
        self.received, self.is_reusable = 0, False
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        length = {} if body is None else {"Content-Length": str(len(body))}
        fields = {**headers, "Accept-Encoding": "identity", **length}
        request = parser.send(h11.Request(method=method, target=target, headers=list(fields.items()))) or b""
        if body:
            request += parser.send(h11.Data(data=body)) or b""
        parser.send(h11.EndOfMessage())
        is_sent = self._send(request, deadline)
        try:
            reply = self._read(parser, deadline, max_body_bytes)
        except h11.RemoteProtocolError as error:
            raise MalformedAnswer(str(error)) from error
        self.is_reusable &= is_sent
        return reply

    def close(self) -> None:
        """Close it without waiting."""
        self._sock.close()

    def _send(self, data: bytes, deadline: float) -> bool:
        """Return whether all was sent. A server that refuses a long request may answer and close before its end."""
        left = memoryview(data)
        while left:
            self._limit(deadline)
            try:
                left = left[self._sock.send(left) :]
            except (BrokenPipeError, ConnectionResetError):
                return False
        return True

    def _read(self, parser: h11.Connection, deadline: float, max_body_bytes: int) -> Reply:
        head = self._read_head(parser, deadline)
        headers = _checked(head)
        body = bytearray()
        while isinstance(event := self._next(parser, deadline), h11.Data):
            body += event.data
            if len(body) > max_body_bytes:
                return Reply(head.status_code, headers, bytes(body[:max_body_bytes]), whole=False)
        if not isinstance(event, h11.EndOfMessage):
            raise MalformedAnswer("the answer has no end")
        self.is_reusable = parser.their_state is h11.DONE and parser.trailing_data == (b"", False)
        return Reply(head.status_code, headers, bytes(body))

    def _read_head(self, parser: h11.Connection, deadline: float) -> h11.Response:
        """Read up to the first final head. 101 is not final: nobody asked to switch protocols."""
        for _ in range(MAX_INTERIM + 1):
            event = self._next(parser, deadline, at_most=MAX_HEAD_BYTES)
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                break
        raise MalformedAnswer("interim answers and no final one")

    def _next(self, parser: h11.Connection, deadline: float, at_most: float = math.inf) -> object:
        while (event := parser.next_event()) is h11.NEED_DATA:
            if self.received > at_most:
                raise MalformedAnswer("the head is too long")
            self._limit(deadline)
            data = self._sock.recv(_CHUNK_BYTES)
            if not data and not self.received:
                raise http.client.RemoteDisconnected("closed without an answer")
            self.received += len(data)
            parser.receive_data(data)
        return event

    def _limit(self, deadline: float) -> None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left_s)


def connect(
    addresses: Sequence[tuple[int, str]], host: str, port: int, tls: ssl.SSLContext | None, deadline: float
) -> Connection:
    """Connect to the first of the addresses (family, numeric) that answers. Each gets its share of the time.

    With `tls`, the server must prove that it is `host`. Raises OSError, including TimeoutError; until then no byte of a
    request has been sent.
    """
    for left in range(len(addresses), 0, -1):
        family, address = addresses[-left]
        now = time.monotonic()
        try:
            return Connection(_reach(family, address, host, port, tls, now + (deadline - now) / left))
        except OSError:
            if left == 1:
                raise
    raise OSError("the host has no address")


def _reach(
    family: int, address: str, host: str, port: int, tls: ssl.SSLContext | None, deadline: float
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        sock.connect((address, port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            # Anybody can end a connection without a close_notify, so that must not pass for the end of an answer.
            sock = tls.wrap_socket(sock, server_hostname=host, suppress_ragged_eofs=False)
    except BaseException:
        sock.close()
        raise
    return sock


def _checked(head: h11.Response) -> dict[str, str]:
    """The head's fields. Raises MalformedAnswer if they leave open how to read the body."""
    names = [name for name, _ in head.headers]
    if head.http_version not in (b"1.0", b"1.1"):
        raise MalformedAnswer(f"HTTP/{head.http_version.decode()} was not asked for")
    if b"transfer-encoding" in names and (b"content-length" in names or head.http_version != b"1.1"):
        raise MalformedAnswer("the head gives two lengths of the body")
    codings = {value.lower() for name, value in head.headers if name == b"content-encoding"}
    if codings - {b"identity"}:
        raise MalformedAnswer("the body is encoded, which was not asked for")
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
