"""A merchant's webhook endpoint on loopback: checks each signature, notes what came in which order, answers 204."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from aegis_client import InvalidWebhook, webhooks
from aegis_worker.ids import parse_event_id

_MOST_BODY_BYTES = 262_144
# Longer than the sender leaves a connection idle between two webhooks, and short enough that threads end with the demo.
_IDLE_S = 60


@dataclass(slots=True)
class Arrivals:
    """Webhooks as they came. `forged`: how many did not carry a signature of ours; these are not in `order`."""

    order: list[str] = field(default_factory=list)
    forged: int = 0

    def missing(self, expected: Mapping[str, int]) -> dict[str, int]:
        """How many events never came, by payment. `expected`: the seq of each payment's last event."""
        came = self._seqs_by_payment()
        lacks = {
            payment: len(set(range(1, last + 1)) - set(came.get(payment, ())))
            for payment, last in expected.items()
        }
        return {payment: count for payment, count in lacks.items() if count}

    def out_of_order(self) -> dict[str, int]:
        """How many events came after a later one of the same payment, by payment; repeated deliveries don't count."""
        late = {payment: _late(seqs) for payment, seqs in self._seqs_by_payment().items()}
        return {payment: count for payment, count in late.items() if count}

    @property
    def repeated(self) -> int:
        """Deliveries of events that had come before: what a merchant dedupes."""
        return len(self.order) - len(set(self.order))

    def _seqs_by_payment(self) -> dict[str, list[int]]:
        by_payment: dict[str, list[int]] = {}
        for event_id in dict.fromkeys(self.order):
            place = parse_event_id(event_id)
            if place is not None:
                by_payment.setdefault(place[0], []).append(place[1])
        return by_payment


def _late(seqs: Iterable[int]) -> int:
    latest, late = 0, 0
    for seq in seqs:
        late += seq < latest
        latest = max(latest, seq)
    return late


class Sink:
    """The endpoint. Set `secret` to what registering `url` gave before anything can be sent."""

    def __init__(self) -> None:
        self.secret = ""
        self._arrivals = Arrivals()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhooks"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="sink", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """One webhook; gives the HTTP status to answer."""
        try:
            event_id = webhooks.verify(self.secret, headers, body)
        except InvalidWebhook:
            with self._lock:
                self._arrivals.forged += 1
            return 401
        with self._lock:
            self._arrivals.order.append(event_id)
        return 204

    def arrivals(self) -> Arrivals:
        """What has come so far."""
        with self._lock:
            return Arrivals(list(self._arrivals.order), self._arrivals.forged)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], sink: Sink) -> None:
        self.sink = sink
        super().__init__(address, _Connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing, because crash tests kill senders in the midst of a request."""


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BODY_BYTES:
            self.close_connection = True
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the sender died in the midst of it, so nothing was delivered
            self.close_connection = True
            return
        status = self.server.sink.take(dict(self.headers), body)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing, because the report says what came."""
