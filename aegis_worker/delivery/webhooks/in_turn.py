"""One process of a worker delivers webhooks at a time, so that endpoints that hang hold up this one and no payments."""

from __future__ import annotations

import time
from collections.abc import Callable

from aegis_worker.delivery.turn import Turn

from .deliver import DeliveryReport


def deliver_in_turn(
    turn: Turn, deliver: Callable[[], DeliveryReport], *, again: Callable[[], None], budget_s: float = 5.0
) -> DeliveryReport:
    """Deliver if no other process is delivering; otherwise the report is empty.

    Looks again after giving the turn back, until nothing is found. While the turn was taken, another process may have
    ignored a hint whose delivery was committed after our last look. `again` is called if something may be left after
    `budget_s`.
    """
    stop_at = time.monotonic() + budget_s
    total = DeliveryReport()
    while turn.take():
        try:
            report = deliver()
        finally:
            turn.give_back()
        total = DeliveryReport(
            claimed=total.claimed + report.claimed,
            delivered=total.delivered + report.delivered,
            failed=total.failed + report.failed,
            dead=total.dead + report.dead,
            more=report.more,
        )
        if not report.claimed and not report.more:
            break
        if report.more or time.monotonic() >= stop_at:
            again()
            break
    return total
