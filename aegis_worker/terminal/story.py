"""What happened to a payment, as tables: its events, and its calls to gateways."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from aegis_worker.queries.history import StoredAttempt, StoredEvent
from aegis_worker.queries.sentences import of_attempt, of_event

from .output import print_table


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
            stored.attempt.number,
            stored.sent_at,
            stored.attempt.gateway,
            stored.attempt.operation,
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
