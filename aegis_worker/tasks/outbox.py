"""Tasks that deliver the outbox, and the webhooks that follow from it."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

from aegis_worker.celery import app
from aegis_worker.delivery.webhooks.turn import Turn, deliver_in_turn
from aegis_worker.wiring import process

# Made at import, before the worker forks, so that all its processes share it.
_TURN = Turn()


@app.task(name="outbox.drain")
def drain_outbox() -> dict[str, int]:
    """Send events to the stream, and make the webhook deliveries."""
    parts = process.worker()
    parts.hints.clear("outbox")
    return asdict(parts.drain_outbox())


@app.task(name="webhooks.deliver")
def deliver_webhooks() -> dict[str, int]:
    """Post the due webhooks, unless another process of this worker is already doing so."""
    parts = process.worker()
    parts.hints.clear("webhooks")
    again = partial(parts.hints.notify, "webhooks")
    deliver = partial(parts.deliver_webhooks, leave=parts.afterwards.leave)
    return asdict(deliver_in_turn(_TURN, deliver, again=again))
