"""The load: a process of its own, so that what it costs is not taken for the API's. `python -m aegis_worker.lab.bench.load`

Reads a Plan in JSON from standard input and writes a Sent in JSON to standard output. HTTP/1.1 over raw sockets on one
thread, requests prepared beforehand, answers parsed afterwards. A server that closes a connection gets a new one.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .line import PATIENCE_S, Broken, Line

# While nothing arrives, check this often whether an answer is overdue.
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send. One of `paths` after the other, over and over; with a `body`, each time as another order.

    Closed loop: every connection sends as soon as it has its answer, until `count` requests or `seconds` are over. Open
    loop, with `rate`: requests are due at fixed times for `seconds`, whether or not earlier ones are answered. `batch`:
    with `body` and `count`, so many orders in a request, as NDJSON lines; each of their answers counts by itself.
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
    batch: int = 0

    @property
    def requests(self) -> int:
        """How many are to be sent; 0 for as many as there is time for."""
        if self.rate:
            return len(schedule(self.rate, self.seconds))
        return -(-self.count // self.batch) if self.batch else self.count


@dataclass(slots=True)
class Sent:
    """What came of it. Times are seconds since the epoch by this machine's clock.

    `answers`: (id of the payment, when its request was due, ms from then to the last byte), of good ones only. When it was
    due is when it was sent in a closed loop, and when it should have been sent in an open one, so that a server that holds
    up later requests pays for it.
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
    path = f"POST {plan.paths[0]} HTTP/1.1\r\n{head}"
    if plan.batch:
        starts = range(0, plan.count, plan.batch)
        return [_batch(plan, path, start, min(start + plan.batch, plan.count)) for start in starts]
    return [_post(plan, path, index) for index in range(plan.requests)]


def _order(plan: Plan, index: int) -> dict[str, Any]:
    return {**(plan.body or {}), "amount": 1000 + index % 9000, "reference": f"{plan.key}-{index}"}


def _post(plan: Plan, head: str, index: int) -> bytes:
    body = json.dumps(_order(plan, index)).encode()
    key = f"Idempotency-Key: {plan.key}-{index}\r\nContent-Type: application/json\r\n"
    return f"{head}{key}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _batch(plan: Plan, head: str, start: int, end: int) -> bytes:
    orders = (
        {"idempotency_key": f"{plan.key}-{index}", **_order(plan, index)} for index in range(start, end)
    )
    body = "".join(json.dumps(order) + "\n" for order in orders).encode()
    kind = "Content-Type: application/x-ndjson\r\n"
    return f"{head}{kind}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Orders:
    """Which request is next, and when. Times in seconds from the start."""

    def __init__(self, plan: Plan, requests: Sequence[bytes]) -> None:
        self._requests = requests
        self._due_at = schedule(plan.rate, plan.seconds) if plan.rate else None
        self._seconds = plan.seconds
        self._count = plan.requests
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
    orders = Orders(plan, prepared(plan))
    loop = _Loop(plan, orders)
    gc.collect()
    gc.disable()
    sent = Sent(started_at=time.time())
    cpu_before_s = time.process_time()
    sent.ended_at = sent.started_at + loop.run()
    sent.cpu_ms = (time.process_time() - cpu_before_s) * 1000
    gc.enable()
    sent.connections_opened = loop.close()
    _judge(plan, loop, sent)
    return sent


class _Loop:
    """One thread that hands requests to free connections and takes answers from the others."""

    def __init__(self, plan: Plan, orders: Orders) -> None:
        self._orders = orders
        self._lines = [Line(plan.port) for _ in range(plan.connections)]
        self._free, self._under_way = list(self._lines), dict[socket.socket, Line]()
        # When each was due and answered, in seconds from the start, its status and body.
        self.answered: list[tuple[float, float, int, bytes]] = []
        self.errors: Counter[str] = Counter()

    def run(self) -> float:
        """Until everything is sent and answered; how many seconds that took."""
        start = time.perf_counter()
        while True:
            now = time.perf_counter() - start
            self._hand_out(now)
            over = self._orders.over(now)
            if over and not self._under_way:
                return time.perf_counter() - start
            wait_s = self._orders.wait_s(now) if self._free and not over else _LOOK_S
            readable = select.select(list(self._under_way), [], [], min(wait_s, _LOOK_S))[0]
            for ready in readable:
                self._take(self._under_way.pop(ready), start)
            if not readable:
                self._give_up_late_ones(time.perf_counter() - start)

    def close(self) -> int:
        """Close every connection; how many there have been."""
        for line in self._lines:
            line.close()
        return sum(line.opened for line in self._lines)

    def _hand_out(self, now: float) -> None:
        while self._free and (order := self._orders.take(now)) is not None:
            line = self._free.pop()
            request, line.due = order
            line.sent = now
            try:
                line.send(request)
                self._under_way[line.socket] = line
            except OSError as error:
                self._fail(line, type(error).__name__)

    def _take(self, line: Line, start: float) -> None:
        try:
            whole = line.receive()
        except Broken as error:
            self._fail(line, str(error))
        except OSError as error:
            self._fail(line, type(error).__name__)
        else:
            if whole is None:
                self._under_way[line.socket] = line
            else:
                self.answered.append((line.due, time.perf_counter() - start, *whole))
                self._free.append(line)

    def _fail(self, line: Line, why: str) -> None:
        self.errors[why] += 1
        line.close()
        self._free.append(line)

    def _give_up_late_ones(self, now: float) -> None:
        for key, line in list(self._under_way.items()):
            if now - line.sent > PATIENCE_S:
                del self._under_way[key]
                self._fail(line, f"no answer after {PATIENCE_S:g} s")


def _judge(plan: Plan, loop: _Loop, sent: Sent) -> None:
    errors = Counter(loop.errors)
    for due, ended, status, body in loop.answered:
        try:
            document = json.loads(body)
        except ValueError:
            document = {}
        if status != plan.ok:
            errors[f"{status} {document.get('code', '')}".strip()] += 1
            continue
        ids = [document.get("id")]
        if plan.batch:
            ids = [line["payment_id"] for line in document["data"] if line["outcome"] == "accepted"]
            errors.update(
                line["problem"]["code"] for line in document["data"] if line["outcome"] == "refused"
            )
        sent.answers += [(id_, sent.started_at + due, (ended - due) * 1000) for id_ in ids]
    sent.errors = dict(errors)


def main() -> None:
    """The process."""
    sent = run(Plan(**json.loads(sys.stdin.read())))
    sys.stdout.write(json.dumps(asdict(sent)))


if __name__ == "__main__":
    main()
