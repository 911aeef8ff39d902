"""The load: a process of its own, so that what it costs is not taken for the API's. `python -m aegis_worker.cli.bench.load`

Reads a Plan in JSON from standard input and writes a Sent in JSON to standard output. HTTP/1.1 over raw sockets on one
thread, requests prepared beforehand, answers parsed afterwards. A server that closes a connection gets a new one.
"""

from __future__ import annotations

import gc
import json
import re
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# Longer than any answer that the API gives late on purpose; what exceeds it is an error.
_PATIENCE_S = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. One of `paths` after the other, over and over; with a `body`, each time as another order.

    Closed loop: every connection sends as soon as it has its answer, until `count` requests or `seconds` are over. Open
    loop, with `rate`: requests are due at fixed times for `seconds`, whether or not earlier ones are answered.
    `ok`: the HTTP status that is no error. `key`: begins every idempotency key and reference.
    """

    port: int
    paths: Sequence[str]
    headers: Mapping[str, str]
    ok: int
    connections: int
    body: Mapping[str, Any] | None = None
    key: str = ""
    count: int = 0
    seconds: float = 0.0
    rate: float = 0.0


@dataclass(slots=True)
class Sent:
    """What came of it. Times are seconds since the epoch by this machine's clock.

    `answers`: (id in the answer's body, when the request was due, ms from then to the last byte), of good ones only. When
    it was due is when it was sent in a closed loop, and when it should have been sent in an open one, so that a server
    that holds up later requests pays for it.
    """

    started_at: float = 0.0
    ended_at: float = 0.0
    cpu_ms: float = 0.0
    connections_opened: int = 0
    answers: list[tuple[str | None, float, float]] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)


def schedule(rate: float, seconds: float) -> list[float]:
    """When each request of an open loop is due, in seconds from the start."""
    return [index / rate for index in range(round(rate * seconds))]


def prepared(plan: Plan) -> list[bytes]:
    """The requests, to the byte: one for each order, or one for each path where nothing is posted."""
    head = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
    head = f"Host: 127.0.0.1:{plan.port}\r\n{head}"
    if plan.body is None:
        return [f"GET {path} HTTP/1.1\r\n{head}\r\n".encode() for path in plan.paths]
    total = len(schedule(plan.rate, plan.seconds)) if plan.rate else plan.count
    return [_post(plan, head, index) for index in range(total)]


def _post(plan: Plan, head: str, index: int) -> bytes:
    name = f"{plan.key}-{index}"
    body = json.dumps({**(plan.body or {}), "amount": 1000 + index % 9000, "reference": name}).encode()
    path = plan.paths[index % len(plan.paths)]
    lines = f"Idempotency-Key: {name}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"POST {path} HTTP/1.1\r\n{head}{lines}\r\n".encode() + body


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
            # Kept alive, and closed by the server just when this request was sent: it saw nothing of it.
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
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.opened += 1

    def _again(self) -> None:
        self.close()
        self._connect()
        self.socket.sendall(self._request)


class Orders:
    """Which request is next, and when. Times in seconds from the start."""

    def __init__(self, plan: Plan, requests: Sequence[bytes]) -> None:
        self._requests = requests
        self._due_at = schedule(plan.rate, plan.seconds) if plan.rate else None
        self._seconds = plan.seconds
        self._count = len(self._due_at) if self._due_at is not None else plan.count
        self._given = 0

    def over(self, now: float) -> bool:
        """Whether nothing more is to be sent."""
        if self._count:
            return self._given >= self._count
        return now >= self._seconds

    def wait_s(self, now: float) -> float:
        """How long until the next one is due."""
        return max(0.0, self._due_at[self._given] - now) if self._due_at is not None else 0.0

    def take(self, now: float) -> tuple[bytes, float] | None:
        """The next request and when it was due, or None when none is due yet."""
        if self.over(now) or self.wait_s(now) > 0:
            return None
        index, self._given = self._given, self._given + 1
        due = now if self._due_at is None else self._due_at[index]
        return self._requests[index % len(self._requests)], due


def run(plan: Plan) -> Sent:
    """Send what the plan says and wait for every answer, at most 30 s for each."""
    requests = prepared(plan)
    orders = Orders(plan, requests)
    lines = [Line(plan.port) for _ in range(plan.connections)]
    free, under_way = list(lines), {}
    answered: list[tuple[float, float, int, bytes]] = []
    errors: Counter[str] = Counter()
    gc.collect()
    gc.disable()
    sent = Sent(started_at=time.time())
    cpu_before, start = time.process_time(), time.perf_counter()
    while True:
        now = time.perf_counter() - start
        while free and (order := orders.take(now)) is not None:
            line = free.pop()
            line.due, line.sent = order[1], now
            try:
                line.send(order[0])
                under_way[line.socket] = line
            except OSError as error:
                errors[type(error).__name__] += 1
                line.close()
                free.append(line)
        if not under_way and orders.over(now):
            break
        wait_s = orders.wait_s(now) if free and not orders.over(now) else 1.0
        readable = select.select(list(under_way), [], [], min(wait_s, 1.0))[0]
        for ready in readable:
            line = under_way.pop(ready)
            try:
                whole = line.receive()
            except (OSError, Broken) as error:
                errors[str(error) if isinstance(error, Broken) else type(error).__name__] += 1
                line.close()
                free.append(line)
                continue
            if whole is None:
                under_way[line.socket] = line
            else:
                answered.append((line.due, time.perf_counter() - start, *whole))
                free.append(line)
        if not readable:
            _give_up_late_ones(under_way, free, errors, time.perf_counter() - start)
    sent.ended_at = sent.started_at + time.perf_counter() - start
    sent.cpu_ms = (time.process_time() - cpu_before) * 1000
    gc.enable()
    for line in lines:
        sent.connections_opened += line.opened
        line.close()
    _judge(plan, answered, sent, errors)
    return sent


def _give_up_late_ones(
    under_way: dict[socket.socket, Line], free: list[Line], errors: Counter[str], now: float
) -> None:
    for key, line in list(under_way.items()):
        if now - line.sent > _PATIENCE_S:
            errors[f"no answer after {_PATIENCE_S:g} s"] += 1
            del under_way[key]
            line.close()
            free.append(line)


def _judge(
    plan: Plan, answered: Sequence[tuple[float, float, int, bytes]], sent: Sent, errors: Counter[str]
) -> None:
    for due, ended, status, body in answered:
        try:
            document = json.loads(body)
        except ValueError:
            document = {}
        if status == plan.ok:
            sent.answers.append((document.get("id"), sent.started_at + due, (ended - due) * 1000))
        else:
            errors[f"{status} {document.get('code', '')}".strip()] += 1
    sent.errors = dict(errors)


def main() -> None:
    """The process."""
    sent = run(Plan(**json.loads(sys.stdin.read())))
    sys.stdout.write(json.dumps(asdict(sent)))


if __name__ == "__main__":
    main()
