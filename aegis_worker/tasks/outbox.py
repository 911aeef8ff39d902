"""Deliver what the outbox holds, and the webhooks that follow from it."""

from __future__ import annotations

from dataclasses import asdict

from aegis_worker import bootstrap
from aegis_worker.celery import app


@app.task(name="outbox.drain")
def drain_outbox() -> dict[str, int]:
    """Tell the stream, and make the webhook deliveries."""
    parts = bootstrap.worker()
    parts.hints.clear("outbox")
    return asdict(parts.drain_outbox())


@app.task(name="webhooks.deliver")
def deliver_webhooks() -> dict[str, int]:
    """Post what is due to merchants' endpoints."""
    parts = bootstrap.worker()
    parts.hints.clear("webhooks")
    return asdict(parts.deliver_webhooks())
