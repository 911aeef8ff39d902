"""The JSON form of delivery's lag."""

from __future__ import annotations

from typing import Any

from aegis_worker.persistence.delivery_lag import WebhookLag
from aegis_worker.persistence.outbox_rows import Lag


def outbox_body(stream: Lag, webhooks: WebhookLag) -> dict[str, Any]:
    """The lag of each sink."""
    return {
        "object": "outbox",
        "stream": {**stream, "oldest_age_s": round(stream["oldest_age_s"], 3)},
        "webhooks": {**webhooks, "oldest_age_s": round(webhooks["oldest_age_s"], 3)},
    }
