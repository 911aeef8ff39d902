"""What happened to a payment, as tables: its events, and its calls to gateways."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from aegis_worker.domain.exchanges import Exchange, NotedAnswer, NotedRequest
from aegis_worker.domain.gateway_keys import is_ordered
from aegis_worker.queries.exchanges import StoredExchange
from aegis_worker.queries.history import StoredAttempt, StoredEvent
from aegis_worker.queries.sentences import called, in_hop, of_attempt, of_event

from .output import plain, print_facts, print_table


def print_events(events: Sequence[StoredEvent], currency: str) -> None:
    """The events, with the time since the one before."""
    before = [None, *(event.at for event in events)]
    rows = [
        (
            event.seq,
            event.at,
            _since(earlier, event.at),
            event.type.wire,
            of_event(event.type, event.data, currency),
        )
        for event, earlier in zip(events, before, strict=False)
    ]
    print_table("Events", ("#", "at (UTC)", "after", "event", "what happened"), rows)


def print_attempts(attempts: Sequence[StoredAttempt]) -> None:
    """The calls to gateways: how often each was sent and asked about, and how it stands."""
    rows = [
        (
            _hop(stored.attempt.number),
            stored.sent_at,
            stored.attempt.gateway,
            called(stored.attempt.operation, stored.attempt.number),
            stored.attempt.status,
            None if stored.latency_ms is None else f"{stored.latency_ms:.0f} ms",
            stored.attempt.sends,
            stored.attempt.checks,
            of_attempt(stored.attempt),
        )
        for stored in attempts
    ]
    columns = ("hop", "sent (UTC)", "gateway", "operation", "status", "took", "sent", "asked", "meaning")
    print_table("Calls to gateways", columns, rows)


def print_exchanges(exchanges: Sequence[StoredExchange], *, whole: bool) -> None:
    """What went out to gateways and came back: a line each, and with `whole` headers and bodies as well."""
    rows = [
        (
            _hop(one.number),
            one.at,
            called(one.operation, one.number),
            _why(one),
            f"{one.exchange.request.method} {one.exchange.request.path}",
            _ended(one.exchange),
            f"{one.exchange.took_ms:.0f} ms",
        )
        for one in exchanges
    ]
    columns = ("hop", "at (UTC)", "operation", "why", "request", "answer", "took")
    print_table("Exchanges with gateways", columns, rows)
    for one in exchanges if whole else ():
        print_facts(
            f"{plain(one.at)}: {called(one.operation, one.number)}{in_hop(one.number)}, {_why(one)}",
            _parts(one),
        )


def _why(stored: StoredExchange) -> str:
    return stored.exchange.because or stored.kind.value.replace("_", " ")


def _hop(number: int) -> int | None:
    """None of what a merchant ordered, which is part of no hop and has a number of its own kind, and of a dispute."""
    return number if number and not is_ordered(number) else None


def _ended(exchange: Exchange) -> str:
    if exchange.answer is not None:
        return f"HTTP {exchange.answer.status}"
    none = exchange.no_answer
    return "" if none is None else f"{none.outcome.replace('_', ' ')}: {none.reason or none.kind}"


def _parts(stored: StoredExchange) -> dict[str, str | None]:
    request, answer = stored.exchange.request, stored.exchange.answer
    return {
        "request": f"{request.method} {request.path}",
        "its query": _as_text(request.query),
        "its headers": _as_text(request.headers),
        "its body": _body_of(request),
        "answer": _ended(stored.exchange),
        "the answer's headers": None if answer is None else _as_text(answer.headers),
        "the answer's body": None if answer is None else _body_of(answer),
    }


def _body_of(part: NotedRequest | NotedAnswer) -> str | None:
    if part.left_out is not None:
        return f"{part.bytes} bytes, {part.left_out.replace('_', ' ')}"
    return _as_text(part.body)


def _as_text(value: Any) -> str | None:
    return None if value is None else json.dumps(value)


def _since(earlier: datetime | None, at: datetime) -> str:
    """`+12 ms`, `+3.250 s`, `+0:02:10`."""
    if earlier is None:
        return ""
    passed = max(at - earlier, timedelta())
    if passed < timedelta(seconds=1):
        return f"+{passed / timedelta(milliseconds=1):.0f} ms"
    if passed < timedelta(minutes=1):
        return f"+{passed / timedelta(seconds=1):.3f} s"
    return f"+{timedelta(seconds=round(passed / timedelta(seconds=1)))}"
