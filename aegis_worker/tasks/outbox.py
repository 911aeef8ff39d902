"""Tasks that deliver the outbox, and the webhooks that follow from it."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from aegis_worker.celery import app
from aegis_worker.delivery.turn import Turn
from aegis_worker.delivery.webhooks.in_turn import deliver_in_turn
from aegis_worker.wiring import process

# Made at import, before the worker forks, so that all its processes share it.
_TURN, _LISTENING = Turn(), Turn()


@app.task(name="outbox.drain")
def drain_outbox() -> dict[str, int]:
    """Send events to the stream, make the deliveries to webhooks and hooks, and have hooks told of what is due."""
    parts = process.worker()
    parts.hints.clear("outbox")
    report = parts.drain_outbox()
    parts.listening.wake(_LISTENING)
    return asdict(report)


@app.task(name="webhooks.deliver")
def deliver_webhooks() -> dict[str, int]:
    """Post the due webhooks, unless another process of this worker is already doing so."""
    parts = process.worker()
    parts.hints.clear("webhooks")
    again = partial(parts.hints.notify, "webhooks")
    deliver = partial(parts.deliver_webhooks, leave=parts.afterwards.leave)
    return asdict(deliver_in_turn(_TURN, deliver, again=again))
