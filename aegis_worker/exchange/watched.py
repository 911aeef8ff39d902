"""Look-ups that no job makes, as metrics and traces show them: of rechecks, comparisons, disputes and people's decisions.

What jobs ask and send, `pipeline.watching` tells of.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeVar

from msgspec import Struct

from aegis_worker.domain.disputes import DisputeLookup, DisputeReport
from aegis_worker.domain.gateway_keys import parse_gateway_key
from aegis_worker.domain.outcomes import Lookup, word_of
from aegis_worker.gateways.requests import DisputeQuery, StatusQuery
from aegis_worker.observability.metrics.meter import METER
from aegis_worker.observability.metrics.table import CALLS
from aegis_worker.observability.tracing import TRACING, failed, traceparent_of

T = TypeVar("T")
Said = TypeVar("Said", bound=Lookup | DisputeLookup)
Begin = Callable[[Callable[[T], None]], None]
"""Begins a call and returns; its argument is told what came of it, perhaps on another thread."""


class LookUp(Struct, frozen=True):
    """A question to a gateway. `operation`: as the metric calls it; `payment_id`: None where only the gateway knows it."""

    gateway: str
    operation: Literal["status", "dispute"]
    payment_id: str | None


def about(gateway: str, query: StatusQuery | DisputeQuery) -> LookUp:
    """The question that a query asks."""
    if isinstance(query, DisputeQuery):
        return LookUp(gateway, "dispute", None)
    named = parse_gateway_key(query.reference)
    return LookUp(gateway, "status", None if named is None else named[0])


def watched(begin: Begin[Said], look_up: LookUp) -> Begin[Said]:
    """The same call, measured, and a span below the one that this thread works for."""
    return watched_by(begin, look_up, lambda said: said)


def watched_by(
    begin: Begin[T], look_up: LookUp, said_by: Callable[[T], Lookup | DisputeLookup | None]
) -> Begin[T]:
    """As `watched`. `said_by`: what the gateway said, by what is told; None where that is no answer."""
    if not (METER.on or TRACING.on):
        return begin

    def beginning(done: Callable[[T], None]) -> None:
        began_s = time.monotonic()
        span = TRACING.span(
            f"{look_up.gateway} {'dispute' if look_up.operation == 'dispute' else 'look-up'}",
            "client",
            TRACING.current,
            {
                "aegis.gateway": look_up.gateway,
                "aegis.operation": look_up.operation,
                "aegis.call": "look_up",
                "aegis.payment_id": look_up.payment_id,
            },
        )

        def told(result: T) -> None:
            said = said_by(result)
            outcome = "broken" if said is None else _word(said)
            if span is not None:
                span.set_attribute("aegis.outcome", outcome)
                if outcome in ("unknown", "broken"):
                    failed(span, outcome)
                span.end()
            took_s = time.monotonic() - began_s
            METER.timing(
                CALLS,
                took_s,
                look_up.gateway,
                look_up.operation,
                outcome,
                traceparent=traceparent_of(span),
            )
            done(result)

        begin(told)

    return beginning


def _word(said: Lookup | DisputeLookup) -> str:
    return "found" if isinstance(said, DisputeReport) else word_of(said)
