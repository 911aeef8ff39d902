"""`aegis doctor`'s check of what gateways told: whether they answer for it when they are asked."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from aegis_worker.queries.overdue import unanswered_events

from .checks import Check, ok, warn

_NAME = "gateways' events"
_ADVICE = (
    "`aegis gateway-events list --status unmatched` names them; once it answers, `aegis gateway-events retry`"
)


def told(connection: Connection) -> Iterator[Check]:
    """Events about payments of ours that were given up, because their gateways did not answer for a day."""
    unanswered = unanswered_events(connection)
    if unanswered:
        yield warn(_NAME, f"{unanswered} about payments have no answer of their gateway", _ADVICE)
    else:
        yield ok(_NAME, "none about a payment is without its gateway's answer")
