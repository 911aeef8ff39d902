"""What waits for an endpoint: series of deliveries, of one payment each, whose posts go one after the other."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from aegis_worker.clock import clock_s
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import WEBHOOKS
from aegis_worker.observability.telling import TELLING
from aegis_worker.observability.tracing import TRACING, failed, traceparent_of
from aegis_worker.persistence.delivery_rows import ClaimedDelivery, Settlement
from aegis_worker.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Span

from .schedule import Answer, Answered, Verdict, decide
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
    """One endpoint within a run: the series that wait for it, and in how many lanes they are posted, one at a time in each.

    `takes`: it took the last delivery. `closed`: it didn't answer, asked for a pause or is gone, and gets nothing more.
    """

    endpoint_id: str
    merchant_id: str
    waiting: deque[Series] = field(default_factory=deque)
    lanes: int = 0
    in_hand: int = 0
    takes: bool = False
    closed: bool = False

    def next_series(self) -> Series | None:
        """Take a waiting series; None if another lane has just taken the last one."""
        try:
            return self.waiting.popleft()
        except IndexError:
            return None


class Posted(Struct, frozen=True):
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
        self._spans: dict[str, Span] = {}

    def begin(self, delivery: ClaimedDelivery, told: Callable[[Answer], None]) -> None:
        """Post the delivery; `told` is called later with the answer."""
        event, body, now_s = delivery.event, delivery.event.payload(), int(time.time())
        secret = endpoint_secret(self._secret, delivery.endpoint_id, delivery.secret_version)
        headers = {ID: event.id, TIMESTAMP: str(now_s), SIGNATURE: sign(secret, event.id, now_s, body)}
        if delivery.trail.correlation_id is not None:
            headers["Correlation-Id"] = delivery.trail.correlation_id
        if TRACING.on:
            headers.update(self._begin_span(delivery))
        self._sender.begin(delivery.url, headers, body, told)

    def posted(self, delivery: ClaimedDelivery, answer: Answer, took_s: float) -> Posted:
        """What becomes of a delivery that got this answer."""
        tries = delivery.tries + 1
        verdict = decide(answer, tries=tries, max_tries=self._max_tries, took_s=took_s, rng=self._rng)
        entry: dict[str, str | int | None] = {
            "status_code": answer.status if isinstance(answer, Answered) else None,
            "error": verdict.error,
            "duration_ms": round(took_s * 1000),
        }
        self._end_span(delivery, verdict)
        _tell_of(delivery, answer, verdict, took_s)
        return Posted(Settlement(delivery, verdict.status, verdict.delay_s, entry), verdict)

    def _begin_span(self, delivery: ClaimedDelivery) -> dict[str, str]:
        """The header by which the endpoint goes on with the trace; none where it is not traced."""
        span = TRACING.span(
            f"webhook {delivery.event.type.wire}",
            "client",
            delivery.trail.traceparent,
            {
                "aegis.payment_id": delivery.event.payment_id,
                "aegis.event_id": delivery.event.id,
                "aegis.endpoint_id": delivery.endpoint_id,
                "aegis.correlation_id": delivery.trail.correlation_id,
                "aegis.tries": delivery.tries + 1,
            },
        )
        if span is None:
            return {}
        self._spans[delivery.id] = span
        return {"traceparent": traceparent_of(span) or ""}

    def _end_span(self, delivery: ClaimedDelivery, verdict: Verdict) -> None:
        span = self._spans.pop(delivery.id, None)
        if span is not None:
            span.set_attribute("aegis.outcome", verdict.status)
            if verdict.status != "delivered":
                failed(span, verdict.status)
            span.end()


def _tell_of(delivery: ClaimedDelivery, answer: Answer, verdict: Verdict, took_s: float) -> None:
    event = delivery.event
    METER.timing(WEBHOOKS, took_s, verdict.status, traceparent=delivery.trail.traceparent)
    if TELLING.wants("webhook", event.payment_id):
        TELLING.tell(
            "webhook posted",
            delivery.trail,
            payment_id=event.payment_id,
            event_id=event.id,
            endpoint_id=delivery.endpoint_id,
            kind=event.type.wire,
            outcome=verdict.status,
            status=answer.status if isinstance(answer, Answered) else None,
            duration_ms=round(took_s * 1000, 1),
        )


class SeriesInFlight:
    """A series that is being posted until one delivery fails; those behind it wait as long as it does."""

    def __init__(self, poster: Poster, queue: EndpointQueue, series: Series, stop_at: float) -> None:
        self._poster, self._queue, self._series, self._stop_at = poster, queue, series, stop_at
        self._posted: list[Posted] = []
        self._waits_s: float | None = None
        self._began = 0.0

    def go_on(self, told: Callable[[Answer], None]) -> list[Posted] | None:
        """Begin the next post, whose answer `told` gets. When there is none left, returns what became of the series."""
        for delivery in self._series.deliveries[len(self._posted) :]:
            is_over = clock_s() >= self._series.send_before_s or time.monotonic() >= self._stop_at
            if self._waits_s is None and (self._queue.closed or is_over):
                self._waits_s = 0.0
            if self._waits_s is None:
                self._began = time.monotonic()
                self._poster.begin(delivery, told)
                return None
            self._posted.append(Posted(Settlement(delivery, "pending", self._waits_s)))
        return self._posted

    def take(self, answer: Answer) -> None:
        """The answer to the post that was begun last."""
        delivery = self._series.deliveries[len(self._posted)]
        posted = self._poster.posted(delivery, answer, time.monotonic() - self._began)
        self._posted.append(posted)
        verdict = posted.verdict
        if verdict is not None:
            self._queue.closed = self._queue.closed or verdict.gone or verdict.rest_s > 0
            if verdict.status == "pending":
                self._waits_s = verdict.delay_s
