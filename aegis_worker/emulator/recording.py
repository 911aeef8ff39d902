"""What was asked, answered and told lately, kept in memory for people: bounded, and without what nobody may keep."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from . import redacting
from .replies import Reply
from .scripts import Wire

MOST_BODY = 16_384


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its answer. `is_whole`: nothing of the request was taken out or cut off, so it can be sent again.

    `script`: which it followed, empty: none. `wire`: how its answer went out. `repeats`: the number of the one repeated.
    """

    number: int
    at: float
    method: str
    target: str
    headers: Mapping[str, str]
    body: str
    is_whole: bool
    status: int
    answer_headers: Mapping[str, str]
    answer: str
    took_ms: float
    script: str = ""
    wire: str = Wire.ANSWER.value
    repeats: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending of an event. `status`: the answer's, 0 where there was none, None where nothing was sent.

    `event`: what lies in the queue, with which it can be sent again.
    """

    number: int
    at: float
    event_id: str
    headers: Mapping[str, str]
    body: str
    status: int | None
    tries: int
    script: str
    event: bytes

    def as_dict(self) -> dict[str, Any]:
        """As JSON shows it."""
        shown = asdict(self)
        del shown["event"]
        return shown


class Recorder:
    """Keeps the newest `most` exchanges, and as many deliveries. Safe from several threads."""

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._exchanges: deque[Exchange] = deque(maxlen=most)
        self._deliveries: deque[Delivery] = deque(maxlen=most)

    def note_exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        raw: bytes,
        reply: Reply,
        took_s: float,
        repeats: int | None = None,
    ) -> Exchange:
        """Keep a request with the answer that goes out for it."""
        body = redacting.body(raw[:MOST_BODY])
        is_silent = reply.wire in (Wire.DROP, Wire.RESET)
        with self._lock:
            self._number += 1
            exchange = Exchange(
                number=self._number,
                at=time.time(),
                method=method,
                target=redacting.body(target.encode()),
                headers=redacting.headers(headers),
                body=body,
                is_whole=body.encode() == raw,
                status=0 if is_silent else reply.status,
                answer_headers={} if is_silent else redacting.headers(reply.headers),
                answer="" if is_silent else redacting.body(reply.body[:MOST_BODY]),
                took_ms=round((took_s + reply.after_s) * 1000, 1),
                script=reply.script,
                wire=reply.wire.value,
                repeats=repeats,
            )
            self._exchanges.append(exchange)
        return exchange

    def note_delivery(
        self,
        event_id: str,
        headers: Mapping[str, str],
        body: bytes,
        status: int | None,
        tries: int,
        script: str,
        event: bytes,
    ) -> None:
        """Keep a sending of an event, with the status that came back."""
        with self._lock:
            self._number += 1
            self._deliveries.append(
                Delivery(
                    number=self._number,
                    at=time.time(),
                    event_id=event_id,
                    headers=redacting.headers(headers),
                    body=redacting.body(body[:MOST_BODY]),
                    status=status,
                    tries=tries,
                    script=script,
                    event=event,
                )
            )

    def exchanges(self) -> list[Exchange]:
        """The newest first."""
        with self._lock:
            return list(reversed(self._exchanges))

    def deliveries(self) -> list[Delivery]:
        """The newest first."""
        with self._lock:
            return list(reversed(self._deliveries))
