"""One call to one gateway, on a thread of the window. Holds no connection to the database."""

from __future__ import annotations

import time
from collections.abc import Callable

from aegis_worker.clock import clock_s
from aegis_worker.crash_points import crash_point
from aegis_worker.domain.outcomes import Lookup, NotSent, Outcome, Unknown, UnknownKind
from aegis_worker.domain.retries import NotSentKind
from aegis_worker.gateways.base import PaymentGateway
from aegis_worker.gateways.discretion import discreet

from .work import Answer, Ask, Send, SendAgain

_POINTS = {
    Send: ("gateway.sending", "gateway.answered"),
    SendAgain: ("replay.sending", "replay.answered"),
    Ask: ("lookup.asking", "lookup.answered"),
}
# Repeat a call that failed at once, at most twice: a gateway that restarts or closes a kept connection is back in a moment.
# Slow failures are not repeated here, because they would hold a place in the window.
_PAUSES_S = (0.05, 0.2)


def call(gateway: PaymentGateway, step: Send | SendAgain | Ask, send_until_s: float) -> Answer | None:
    """Ask, or send unless `clock_s()` is past `send_until_s`: then None is returned, and nothing has left.

    A worker that was frozen between its commit and its call wakes up here. Whoever took over has asked the gateway, found
    nothing, and may have decided by it; a call that leaves now could be a charge that nobody waits for. And a repeat could
    find its key forgotten. A freeze between this look at the clock and the first byte is what no client can rule out.
    """
    before, after = _POINTS[type(step)]
    started = time.monotonic()
    crash_point(before)
    asked_at_s = clock_s()
    if not isinstance(step, Ask) and asked_at_s > send_until_s:
        return None
    outcome = _once(gateway, step)
    for pause_s in _PAUSES_S:
        elapsed_s = time.monotonic() - started
        if not _may_repeat(step, outcome) or elapsed_s > gateway.config.connect_timeout_s:
            break
        time.sleep(pause_s)
        if not isinstance(step, Ask) and clock_s() > send_until_s:
            break
        outcome = _once(gateway, step)
    crash_point(after)
    return Answer(discreet(outcome), (time.monotonic() - started) * 1000, isinstance(step, Ask), asked_at_s)


def _once(gateway: PaymentGateway, step: Send | SendAgain | Ask) -> Outcome | Lookup:
    return _ask(gateway, step) if isinstance(step, Ask) else _send(gateway, step)


def _may_repeat(step: Send | SendAgain | Ask, outcome: Outcome | Lookup) -> bool:
    """Whether the same call may be made again at once: what never left, and what only reads."""
    if isinstance(step, Ask):
        return isinstance(outcome, Unknown) and outcome.kind is UnknownKind.NO_ANSWER
    return isinstance(outcome, NotSent) and outcome.kind is NotSentKind.NETWORK_ERROR


def _send(gateway: PaymentGateway, step: Send | SendAgain) -> Outcome:
    send: Callable[..., Outcome] = getattr(gateway, step.request.operation.value)
    return send(step.request)


def _ask(gateway: PaymentGateway, step: Ask) -> Lookup:
    if step.query.gateway_ref is not None:
        return gateway.get_status(step.query)
    return gateway.find_by_reference(step.query)
