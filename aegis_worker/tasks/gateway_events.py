"""The task that verifies and follows what gateways told us."""

from __future__ import annotations

from aegis_worker.celery import app
from aegis_worker.gateway_events.follow import follow
from aegis_worker.gateway_events.verify import verify
from aegis_worker.wiring import process


@app.task(name="gateway_events.follow")
def follow_events() -> dict[str, int]:
    """Verify webhooks that wait for it, find the payments of kept events, and have their gateways asked."""
    parts = process.worker()
    parts.hints.clear("gateway_events")
    return verify(parts.webhooks) | follow(parts.gateway_events)
