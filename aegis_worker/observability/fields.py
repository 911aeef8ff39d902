"""The fields that a line of the log may have. What is not listed here is written without its value."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from .redaction import HIDDEN

# Which request, payment and call a line is about, and what it is in a trace.
ABOUT = (
    "correlation_id",
    "request_id",
    "payment_id",
    "job_id",
    "attempt",
    "gateway",
    "operation",
    "duration_ms",
    "trace_id",
    "span_id",
)
# At the head of each line, in this order.
_FIRST = ("timestamp", "level", "event", *ABOUT)
# Numbers, words of ours, and texts of errors, in which secrets are searched for.
_MORE = """
address advice after_ms ahead_s approval_id because call calls calls_in_flight configuration count endpoint_id error
errors event_id events exchanges hook incidents injection interval_s jobs kind left_out lines merchant_id method missing
nth number outcome payment_ids payments pid plan point queue reason retry_in_s route seed size state status step task
tick ticks token tries_again_in_s version waited why work
"""
# What structlog itself adds.
_OWN = ("logger", "exc_info", "exception", "stack_info", "stack", "_record", "_from_structlog")
LISTED = frozenset((*_FIRST, *_MORE.split(), *_OWN))


def listed(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: the line with what it is about first, and without the values that aren't listed."""
    line = {name: event.pop(name) for name in _FIRST if name in event}
    line |= {name: value if name in LISTED else HIDDEN for name, value in event.items()}
    return line
