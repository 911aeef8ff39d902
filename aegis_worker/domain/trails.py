"""What a request leaves on the jobs that it brings about, so that what is logged and traced later is found together."""

from __future__ import annotations

from msgspec import Struct


class Trail(Struct, frozen=True):
    """`correlation_id`: the caller's own, or the id of the request. `traceparent`: the span of the request as W3C's Trace
    Context writes it; None where the request is not traced.
    """

    correlation_id: str | None = None
    traceparent: str | None = None


NO_TRAIL = Trail()
