"""The JSON forms of figures over time, as columns: a program that draws them takes each as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aegis_worker.domain.moments import rfc3339
from aegis_worker.queries.by_minute import CallsThen, PaymentsThen, Span

from .values import rounded


def payments_by_minute_body(span: Span, rows: Sequence[PaymentsThen]) -> dict[str, Any]:
    """Payments over time by how they stand now. `at`: when each step begins, in seconds since 1970."""
    return {
        "object": "payments_by_minute",
        **_span(span),
        "at": [row.at for row in rows],
        "charged": [row.charged for row in rows],
        "not_charged": [row.not_charged for row in rows],
        "in_doubt": [row.in_doubt for row in rows],
        "open": [row.open for row in rows],
    }


def gateways_by_minute_body(span: Span, rows: Sequence[CallsThen]) -> dict[str, Any]:
    """Calls to each gateway over time, of all steps: 0 calls, and no latency, where there were none."""
    steps = list(span.steps)
    by_gateway: dict[str, dict[int, CallsThen]] = {}
    for row in rows:
        by_gateway.setdefault(row.gateway, {})[row.at] = row
    return {
        "object": "gateways_by_minute",
        **_span(span),
        "at": steps,
        "gateways": [
            {"gateway": gateway, **_columns([then.get(at) for at in steps])}
            for gateway, then in sorted(by_gateway.items())
        ],
    }


def _columns(rows: Sequence[CallsThen | None]) -> dict[str, Any]:
    names = ("calls", "approved", "declined", "in_doubt", "not_sent")
    counts = {name: [getattr(row, name) if row else 0 for row in rows] for name in names}
    return {**counts, "p95_ms": [rounded(row.p95_ms, 1) if row else None for row in rows]}


def _span(span: Span) -> dict[str, Any]:
    return {
        "since": rfc3339(span.since),
        "until": rfc3339(span.until),
        "step_s": span.step_s,
        "complete": span.complete,
    }
