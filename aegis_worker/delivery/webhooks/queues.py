"""What waits for an endpoint: series of deliveries, of one payment each, which a thread posts one after the other."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from aegis_worker.clock import clock_s
from aegis_worker.persistence.delivery_rows import ClaimedDelivery, Settlement
from aegis_worker.settings import Settings

from .schedule import Answered, Verdict, decide
from .sender import HttpSender
from .signing import ID, SIGNATURE, TIMESTAMP, endpoint_secret, sign


@dataclass(frozen=True, slots=True)
class Series:
    """The deliveries of one payment to one endpoint, in order of `seq`.

    Nothing is posted after `send_before_s` (`clock_s`), because from then on the lease could end during the post.
    """

    deliveries: Sequence[ClaimedDelivery]
    send_before_s: float


@dataclass(slots=True, eq=False)
class EndpointQueue:
    """One endpoint within a run: the series that wait for it, and how many threads post them.

    `takes`: it took the last delivery. `closed`: it didn't answer, asked for a pause or is gone, and gets nothing more.
    """

    endpoint_id: str
    merchant_id: str
    waiting: deque[Series] = field(default_factory=deque)
    threads: int = 0
    in_hand: int = 0
    takes: bool = False
    closed: bool = False

    def next_series(self) -> Series | None:
        """Take a waiting series; None if another thread has just taken the last one."""
        try:
            return self.waiting.popleft()
        except IndexError:
            return None


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one delivery; without a verdict it was not sent, and is due as before."""

    settlement: Settlement
    verdict: Verdict | None = None


class Poster:
    """Signs and posts. Safe to share between threads; never touches the database."""

    def __init__(self, sender: HttpSender, settings: Settings) -> None:
        self._sender = sender
        self._secret = settings.secret
        self._max_tries = settings.webhook_max_tries
        self._rng = random.Random()

    def post_series(self, queue: EndpointQueue, series: Series, *, stop_at: float) -> list[Posted]:
        """Post the series until one delivery fails; those behind it wait as long as it does."""
        posted: list[Posted] = []
        waits_s: float | None = None
        for delivery in series.deliveries:
            is_over = clock_s() >= series.send_before_s or time.monotonic() >= stop_at
            if waits_s is None and (queue.closed or is_over):
                waits_s = 0.0
            if waits_s is not None:
                posted.append(Posted(Settlement(delivery, "pending", waits_s)))
                continue
            verdict, entry = self._post(delivery)
            posted.append(Posted(Settlement(delivery, verdict.status, verdict.delay_s, entry), verdict))
            queue.closed = queue.closed or verdict.gone or verdict.rest_s > 0
            if verdict.status == "pending":
                waits_s = verdict.delay_s
        return posted

    def _post(self, delivery: ClaimedDelivery) -> tuple[Verdict, dict[str, str | int | None]]:
        event, body, now_s = delivery.event, delivery.event.payload(), int(time.time())
        secret = endpoint_secret(self._secret, delivery.endpoint_id, delivery.secret_version)
        headers = {ID: event.id, TIMESTAMP: str(now_s), SIGNATURE: sign(secret, event.id, now_s, body)}
        began = time.monotonic()
        answer = self._sender.post(delivery.url, headers, body)
        took_s = time.monotonic() - began
        tries = delivery.tries + 1
        verdict = decide(answer, tries=tries, max_tries=self._max_tries, took_s=took_s, rng=self._rng)
        return verdict, {
            "status_code": answer.status if isinstance(answer, Answered) else None,
            "error": verdict.error,
            "duration_ms": round(took_s * 1000),
        }
